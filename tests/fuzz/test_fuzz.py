"""Every target with a fixed number of seeded inputs; `make fuzz` goes on where this ends.

DENC_FUZZ_SEED=N gives other inputs, DENC_FUZZ_TIMES=N so many times more of them.
"""

import os
import zlib
from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz.corpus import CORPUS, MAX_CORPUS_BYTES, seeds
from tests.fuzz.examine import examine, examine_memory
from tests.fuzz.mutate import Mutator
from tests.fuzz.target import Run, Target
from tests.fuzz.targets import TARGETS

SEED = int(os.environ.get("DENC_FUZZ_SEED", "1"))
TIMES = float(os.environ.get("DENC_FUZZ_TIMES", "1"))
MEMORY_INPUTS = 20  # of each target; measuring memory is slow


@pytest.fixture(params=list(TARGETS))
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Target, Run]]:
    target = TARGETS[request.param]
    with target.open() as run:
        yield target, run


def inputs(target: Target, count: int) -> Iterator[bytes]:
    """The seeds, then mutants; the same in every run."""
    found = seeds(target.name)
    yield from found
    random = Random(zlib.crc32(target.name.encode()) + SEED)
    mutator = Mutator(found, target.form, target.max_bytes, random)
    for _ in range(count):
        yield mutator.next()


def test_hostile_input_meets_only_declared_errors_in_bounded_time(
    opened: tuple[Target, Run],
) -> None:
    target, run = opened
    for number, data in enumerate(inputs(target, int(target.inputs * TIMES))):
        finding = examine(target, run, data)
        if finding is not None:
            pytest.fail(f"seed {SEED}, input {number}: {finding}", pytrace=False)


def test_hostile_input_takes_bounded_memory(opened: tuple[Target, Run]) -> None:
    target, run = opened
    for number, data in enumerate(inputs(target, int(MEMORY_INPUTS * TIMES))):
        finding = examine_memory(target, run, data)
        if finding is not None:
            pytest.fail(f"seed {SEED}, input {number}: {finding}", pytrace=False)


def test_every_target_has_seeds_and_they_stay_small() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    assert all(seeds(name) for name in TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < MAX_CORPUS_BYTES
