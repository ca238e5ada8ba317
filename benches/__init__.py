"""Measurements: quality per bit, time per stage, and the demo. No part of the product.

    python -m benches.quality   rate and quality of denc beside x265, on clips of a manifest
    python -m benches.stages    time per stage and memory, on this machine
    python -m benches.demo      both daemons, live on loopback, measured (`make demo`)

Errors: BenchError, a measurement that could not be taken, with its reason in one sentence.
"""


class BenchError(Exception):
    """A measurement could not be taken."""
