"""Names for files that never replace another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path


def free_names(wanted: Path) -> Iterator[Path]:
    """`wanted`, then `wanted-1`, `wanted-2` and so on: to be tried until one is not there yet."""
    yield wanted
    for number in itertools.count(1):
        yield wanted.with_stem(f"{wanted.stem}-{number}")


def numbered_names(wanted: Path, first: int, digits: int) -> Iterator[Path]:
    """`wanted-00001` and so on, from a number on."""
    for number in itertools.count(first):
        yield wanted.with_stem(f"{wanted.stem}-{number:0{digits}}")
