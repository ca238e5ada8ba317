"""What is compared: denc as it sends, and denc with one part changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from benches.coders import X265, Coder, SvtAv1, Vp9
from engines.codebook import BITS_MAX, BITS_MIN, Codebook
from engines.latent import SCALES

DEFAULT, UNRESTORED, UNGUIDED = "denc", "unrestored", "unguided"


class Part(Enum):
    """What of denc a row is about; the values are what `--parts` takes."""

    DEFAULT = "default"
    SCALE = "scale"
    TINYAE = "tinyae"
    BITS = "bits"
    RESTORATION = "restoration"
    GUIDE = "guide"
    CARRIER = "carrier"


class Reduction(Enum):
    """What makes a source small."""

    TINYAE = "TinyAE"
    AREA = "area"
    LANCZOS = "Lanczos"


class Levels(Enum):
    """What a latent's values are rounded to."""

    KMEANS = "k-means"  # as fitted to latents; even where nothing was fitted
    UNIFORM = "uniform"


@dataclass(frozen=True)
class Configuration:
    """One row. What is not said is as denc sends it."""

    method: str  # its key in the points
    part: Part
    label: str
    scale: int | None = None  # None: the one that denc comes to at each rate
    reduction: Reduction = Reduction.TINYAE
    bits: int = BITS_MAX
    levels: Levels = Levels.KMEANS
    restored: bool = True  # else enlarged by Lanczos
    guided: bool = True
    coder: Coder | None = None  # None: x265 as denc sets it
    against: str = DEFAULT  # the method that it is compared with

    @property
    def settings(self) -> str:
        """For `Point.source`."""
        carrier = self.coder.settings if self.coder else "denc's x265"
        return (
            f"scale {self.scale or 'as denc'}, {self.reduction.value},"
            f" {self.bits} bits {self.levels.value}, restored {self.restored},"
            f" guided {self.guided}, {carrier}"
        )


def configurations(finest: Codebook) -> tuple[Configuration, ...]:
    """All rows, denc itself first; `finest` is the codebook that it uses."""
    return tuple(_rows(finest))


def _rows(finest: Codebook) -> Iterator[Configuration]:
    yield Configuration(DEFAULT, Part.DEFAULT, "denc as it sends")
    for scale in SCALES:
        label = f"always scale {scale}"
        yield Configuration(f"scale-{scale}", Part.SCALE, label, scale=scale)
    for restored, then in ((True, ""), (False, ", without restoration")):
        for reduction in (Reduction.AREA, Reduction.LANCZOS):
            yield Configuration(
                f"{reduction.value.lower()}{'' if restored else '-unrestored'}",
                Part.TINYAE,
                f"{reduction.value} reduction instead{then}",
                reduction=reduction,
                restored=restored,
            )
    for bits in range(BITS_MAX, BITS_MIN - 1, -1):
        for levels in Levels:
            of_denc = bits == BITS_MAX and (levels is Levels.KMEANS or finest.is_uniform)
            if not of_denc:
                method, label = f"bits-{bits}-{levels.value}", f"{bits} bits, {levels.value}"
                yield Configuration(method, Part.BITS, label, bits=bits, levels=levels)
    yield Configuration(
        UNRESTORED, Part.RESTORATION, "the same stream enlarged by Lanczos", restored=False
    )
    yield Configuration(UNGUIDED, Part.GUIDE, "without guides", guided=False)
    carriers: dict[str, tuple[str, Coder]] = {
        "x265": ("x265 medium zerolatency", X265()),
        "svt-av1": ("SVT-AV1 low delay", SvtAv1()),
        "vp9": ("VP9 real-time", Vp9()),
    }
    for name, (label, coder) in carriers.items():
        yield Configuration(
            f"carrier-{name}",
            Part.CARRIER,
            f"{label} as the carrier",
            guided=False,
            coder=coder,
            against=UNGUIDED,
        )
