"""k-means bitwidth quantization of the latent (DeNC++, "Bitwidth Vector Quantization").

The latent's values are replaced by the nearest of 2^n levels, found with k-means on real latents,
one sorted set per channel. Level `i` travels as the 8-bit value nearest to `i * 255 / (2^n - 1)`,
so the order is kept and a lossy transform codec can carry it (companding); the viewer maps the
decoded 8-bit values back by interpolating between the levels.

    latent 0..255 (float) --compress--> carrier 0..255 (uint8) --expand--> latent (float)

Levels lie on a grid of a quarter step, so that a codebook is small and exact on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float32]

BITS_MIN, BITS_MAX = 4, 8
CHANNELS = 3
GRID = 4  # levels per unit of an 8-bit value
GRID_MAX = 255 * GRID
CODEBOOK_MAX_BYTES = 1024
_UNIFORM, _EXPLICIT = 0, 1


@dataclass(frozen=True, eq=False)
class Codebook:
    """Three strictly rising sets of 2^bits levels in [0, 255], on a grid of 1/4."""

    bits: int
    levels: tuple[Levels, Levels, Levels]

    def __post_init__(self) -> None:
        if not BITS_MIN <= self.bits <= BITS_MAX:
            raise ValueError(f"bits must be {BITS_MIN}..{BITS_MAX}, not {self.bits}")
        for levels in self.levels:
            steps = levels * GRID
            if levels.shape != (1 << self.bits,) or np.any(np.diff(levels) <= 0):
                raise ValueError(
                    f"a codebook of {self.bits} bits needs {1 << self.bits} rising levels"
                )
            if levels[0] < 0 or levels[-1] > 255 or np.any(steps != np.rint(steps)):
                raise ValueError("codebook levels must lie in 0..255 on a grid of 1/4")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Codebook):
            return NotImplemented
        return self.bits == other.bits and all(
            np.array_equal(a, b) for a, b in zip(self.levels, other.levels, strict=True)
        )

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    @classmethod
    @cache  # asked for with every picture, and its tables with it
    def uniform(cls, bits: int) -> Codebook:
        """Evenly spread levels: with 8 bits, latent and carrier are the same picture."""
        if not BITS_MIN <= bits <= BITS_MAX:
            raise ValueError(f"bits must be {BITS_MIN}..{BITS_MAX}, not {bits}")
        levels = carrier_values(bits).astype(np.float32)
        return cls(bits, (levels, levels, levels))

    @property
    def is_uniform(self) -> bool:
        return self == Codebook.uniform(self.bits)

    def compress(self, channel: int, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Latent values (any shape, clipped to 0..255) to the 8-bit values that travel."""
        scaled = values * np.float32(GRID)
        scaled += 0.5
        grid = np.clip(scaled, 0, GRID_MAX, out=scaled).astype(np.uint16)
        # every index is in the table; any other mode than "raise" skips a check of each
        carried: npt.NDArray[np.uint8] = np.take(self._compress_tables[channel], grid, mode="clip")
        return carried

    def expand(
        self,
        channel: int,
        values: npt.NDArray[np.uint8],
        out: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Carried 8-bit values back to latent values; exact for the values `compress` makes.

        `out`, of the same shape and contiguous, is written to where it is given.
        """
        # every index is in the table; any other mode than "raise" writes to `out` directly
        expanded: npt.NDArray[np.float32] = np.take(
            self._expand_tables[channel], values, out=out, mode="clip"
        )
        return expanded

    @cached_property
    def _compress_tables(self) -> tuple[npt.NDArray[np.uint8], ...]:
        grid = np.arange(GRID_MAX + 1, dtype=np.float32) / GRID
        carried = carrier_values(self.bits)
        borders = [(levels[1:] + levels[:-1]) / 2 for levels in self.levels]
        return tuple(carried[np.searchsorted(border, grid, side="right")] for border in borders)

    @cached_property
    def _expand_tables(self) -> tuple[Levels, ...]:
        carried = carrier_values(self.bits)
        return tuple(
            np.interp(np.arange(256), carried, levels).astype(np.float32) for levels in self.levels
        )

    def to_bytes(self) -> bytes:
        """The in-band form: bits, kind, then per channel the steps between levels as varints."""
        if self.is_uniform:
            return bytes((self.bits, _UNIFORM))
        out = bytearray((self.bits, _EXPLICIT))
        for levels in self.levels:
            grid = (levels * GRID).astype(np.int64)
            for step in np.diff(grid, prepend=0):
                out += _varint(int(step))
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Codebook:
        """Parse `to_bytes`. Raises ValueError for anything else."""
        if not 2 <= len(data) <= CODEBOOK_MAX_BYTES:
            raise ValueError(f"a codebook has 2..{CODEBOOK_MAX_BYTES} bytes, not {len(data)}")
        bits, kind = data[0], data[1]
        if kind == _UNIFORM and len(data) == 2:
            return cls.uniform(bits)
        if kind != _EXPLICIT or not BITS_MIN <= bits <= BITS_MAX:
            raise ValueError(f"unknown codebook: kind {kind}, {bits} bits, {len(data)} bytes")
        steps, position = [], 2
        for _ in range(CHANNELS << bits):
            step, position = _read_varint(data, position)
            steps.append(step)
        if position != len(data):
            raise ValueError(f"{len(data) - position} bytes left over after the codebook")
        grid = np.cumsum(np.reshape(steps, (CHANNELS, 1 << bits)), axis=1)
        y, u, v = (grid / GRID).astype(np.float32)
        return cls(bits, (y, u, v))


def carrier_values(bits: int) -> npt.NDArray[np.uint8]:
    """The 2^bits values of an 8-bit sample that stand for the levels, in order."""
    count = 1 << bits
    return np.rint(np.arange(count) * 255 / (count - 1)).astype(np.uint8)


def fit_levels(samples: npt.NDArray[np.float32], bits: int, iterations: int = 60) -> Levels:
    """1-D k-means (Lloyd) on the histogram of `samples` (0..255): 2^bits rising levels."""
    grid = np.clip(np.rint(samples * GRID), 0, GRID_MAX).astype(np.int64).ravel()
    weight = np.bincount(grid, minlength=GRID_MAX + 1).astype(np.float64)
    mass = np.concatenate(([0.0], np.cumsum(weight)))
    moment = np.concatenate(([0.0], np.cumsum(weight * np.arange(GRID_MAX + 1))))
    count = 1 << bits
    # the best companding has a level density of (sample density)^(1/3): start there
    density = np.cumsum((weight + weight.sum() * 1e-6) ** (1 / 3))
    centres = np.interp(
        (np.arange(count) + 0.5) / count * density[-1], density, np.arange(GRID_MAX + 1)
    )
    for _ in range(iterations):
        borders = np.ceil((centres[1:] + centres[:-1]) / 2).astype(np.int64)
        edges = np.concatenate(([0], borders, [GRID_MAX + 1]))
        total = np.diff(mass[edges])
        mean = np.divide(np.diff(moment[edges]), total, out=centres.copy(), where=total > 0)
        if np.allclose(mean, centres):
            break
        centres = mean
    return (_rising(np.rint(centres)) / GRID).astype(np.float32)


def _rising(grid: npt.NDArray[np.float64]) -> Levels:
    """The nearest strictly rising integers within 0..GRID_MAX."""
    steps = np.arange(len(grid))
    forward = np.maximum.accumulate(grid - steps) + steps
    top = GRID_MAX - steps[::-1]
    return np.minimum(forward, top).astype(np.float32)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """A varint of at most two bytes (steps are at most 1020)."""
    if position >= len(data):
        raise ValueError("the codebook ends early")
    first = data[position]
    if first < 0x80:
        return first, position + 1
    if position + 1 >= len(data) or data[position + 1] >= 0x80:
        raise ValueError("a codebook step is damaged")
    return (first & 0x7F) | data[position + 1] << 7, position + 2
