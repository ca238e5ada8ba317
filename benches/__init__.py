"""Measurements: quality per bit, time per stage, and the demo.

    denc-bench quality        rate and quality of denc beside x265, SVT-AV1 and VP9
    denc-bench speed          time per stage and memory, on this machine
    denc-bench ablate         what each of the three compressions gives
    python -m benches.demo    both daemons, live on loopback, measured (`make demo`)

Errors:

    BenchError                a measurement that could not be taken, with its reason in one sentence
    └── BenchUsageError       what was asked for cannot be measured: the user has to change it
"""


class BenchError(Exception):
    """A measurement could not be taken."""


class BenchUsageError(BenchError):
    """The command line or a manifest asks for something that cannot be."""
