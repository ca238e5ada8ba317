"""A guide: the numbers that turn a restorer towards the picture at hand, and their bytes.

    restorer id(16)  step(16, half precision)  GUIDE_SIZE numbers(8 each, signed, in steps)

The sender fits it to one restorer (`engines.guide_fitter`); for any other it means nothing.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

GUIDE_SIZE = 16  # numbers
RESTORER_ID_BYTES = 2
LEVELS = 127
_WIRE = struct.Struct(f">{RESTORER_ID_BYTES}se{GUIDE_SIZE}b")
GUIDE_BYTES = _WIRE.size


@dataclass(frozen=True)
class Guide:
    """As it travels: `numbers` in -127..127, in units of `step`.

    Raises ValueError when a value cannot travel.
    """

    restorer: bytes  # the first bytes of the SHA-256 of its weights
    step: float  # > 0, finite, half precision
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.restorer) != RESTORER_ID_BYTES:
            raise ValueError(f"a restorer's id has {RESTORER_ID_BYTES} bytes")
        if not (math.isfinite(self.step) and self.step > 0):
            raise ValueError(f"a guide's step must be positive, not {self.step}")
        if len(self.numbers) != GUIDE_SIZE or any(abs(n) > LEVELS for n in self.numbers):
            raise ValueError(f"a guide has {GUIDE_SIZE} numbers of -{LEVELS}..{LEVELS}")

    @classmethod
    def nearest(cls, restorer: bytes, values: npt.NDArray[np.float64]) -> Guide | None:
        """The guide nearest to values; None when they are nothing, or beyond half precision."""
        largest = float(np.abs(values).max()) / LEVELS
        if not largest <= float(np.finfo(np.float16).max):
            return None
        step = float(np.float16(largest))
        if step == 0:
            return None
        numbers = np.clip(np.rint(values / step), -LEVELS, LEVELS)
        return cls(restorer, step, tuple(int(n) for n in numbers))

    @property
    def values(self) -> tuple[float, ...]:
        """What the network takes."""
        return tuple(self.step * number for number in self.numbers)

    def to_bytes(self) -> bytes:
        """GUIDE_BYTES."""
        return _WIRE.pack(self.restorer, self.step, *self.numbers)

    @classmethod
    def from_bytes(cls, data: bytes) -> Guide:
        """The inverse of `to_bytes`. Raises ValueError for anything that it does not write."""
        if len(data) != GUIDE_BYTES:
            raise ValueError(f"a guide of {len(data)} bytes, not {GUIDE_BYTES}")
        restorer, step, *numbers = _WIRE.unpack(data)
        return cls(restorer, step, tuple(numbers))
