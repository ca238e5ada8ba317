"""Hostile input: every parser that bytes from outside reach, fed with broken and forged ones.

    corpus/TARGET/* --> Mutator --> Target.run --> examine --> Finding
                          ^                           |
                 (atheris: coverage) <----------------+   only declared errors, time, memory

`test_fuzz` runs a fixed number of inputs of each target with every test run; `python -m tests.fuzz`
(`make fuzz`) lets atheris look for more. `docs/fuzzing.md` tells how.
"""
