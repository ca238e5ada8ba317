"""The methods that are compared, by their keys in results.json, and what each is called.

lite@0, lite@1, ...    denc, restored by an engine at a fidelity
lanczos                the same streams of denc, enlarged plainly
x265-zerolatency ...   plain codecs; `x265-scales` is computed from x265 at four sizes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benches import BenchUsageError
from benches.coders import X265, Coder, SvtAv1, Vp9

LANCZOS = "lanczos"
X265_NATIVE = "x265-zerolatency"
X265_DEFAULT = "x265-default"
HULL = "x265-scales"
CRF28 = "x265-crf28"  # at this CRF, not at a rate: what the DeNC++ paper compares with
CRF28_QUALITY = 28.0
BARE_FIDELITIES = (0.0, 1.0)  # of an engine that is named without one
WITHOUT_FIDELITY = "plain"


@dataclass(frozen=True)
class AnchorMethod:
    """A codec at 1 / `scale` of the size, shown at full size by Lanczos."""

    label: str
    coder: Coder
    scale: int = 1


ANCHOR_METHODS = {
    X265_NATIVE: AnchorMethod("x265 medium zerolatency", X265()),
    X265_DEFAULT: AnchorMethod("x265 medium default", X265(low_delay=False)),
    "x265-1/2": AnchorMethod("x265 zerolatency at 1/2 + Lanczos", X265(), 2),
    "x265-1/3": AnchorMethod("x265 zerolatency at 1/3 + Lanczos", X265(), 3),
    "x265-1/4": AnchorMethod("x265 zerolatency at 1/4 + Lanczos", X265(), 4),
    "svt-av1": AnchorMethod("SVT-AV1 low delay", SvtAv1()),
    "vp9": AnchorMethod("VP9 real-time", Vp9()),
}
HULL_METHODS = (X265_NATIVE, "x265-1/2", "x265-1/3", "x265-1/4")
# what --anchors takes, and the methods that each of them needs
ANCHORS = {
    X265_NATIVE: (X265_NATIVE,),
    X265_DEFAULT: (X265_DEFAULT,),
    HULL: HULL_METHODS,
    "svt-av1": ("svt-av1",),
    "vp9": ("vp9",),
}
_LABELS = {
    HULL: "x265 zerolatency, best of 4 sizes",
    LANCZOS: "denc's stream + Lanczos",
    CRF28: "x265 medium default, CRF 28",
} | {name: method.label for name, method in ANCHOR_METHODS.items()}
_ORDER = (X265_NATIVE, X265_DEFAULT, *HULL_METHODS[1:], HULL, "svt-av1", "vp9", CRF28, LANCZOS)


@dataclass(frozen=True)
class Variant:
    """An engine at a fidelity, 0..1: one of denc's methods."""

    engine: str
    fidelity: float

    @property
    def method(self) -> str:
        return f"{self.engine}@{self.fidelity:g}"


def parse_variants(words: Iterable[str]) -> tuple[Variant, ...]:
    """What `--engines` says: `lite@0.3`, or `lite` for both ends. Raises BenchUsageError."""
    found: list[Variant] = []
    for word in _split(words):
        engine, at, fidelity = word.partition("@")
        if engine == WITHOUT_FIDELITY:
            found.append(Variant(engine, 0.0))
        elif at:
            found.append(Variant(engine, _fidelity(word, fidelity)))
        else:
            found += [Variant(engine, value) for value in BARE_FIDELITIES]
    if not found:
        raise BenchUsageError("--engines names no engine")
    return tuple(dict.fromkeys(found))


def parse_anchors(words: Iterable[str]) -> tuple[str, ...]:
    """What `--anchors` says. Raises BenchUsageError."""
    found = _split(words)
    unknown = [name for name in found if name not in ANCHORS]
    if unknown:
        raise BenchUsageError(
            f"--anchors: there is no {', '.join(unknown)}; known: {', '.join(ANCHORS)}"
        )
    return tuple(dict.fromkeys(found))


def methods_of(anchors: Iterable[str]) -> list[str]:
    """The methods that have to be measured for anchors, each once."""
    return list(dict.fromkeys(method for name in anchors for method in ANCHORS[name]))


def is_denc(method: str) -> bool:
    """Whether it is an engine at a fidelity."""
    return "@" in method


def label_of(method: str) -> str:
    """For people."""
    return f"denc {method}" if is_denc(method) else _LABELS[method]


def in_order(methods: Iterable[str]) -> list[str]:
    """Each once: plain codecs first, then Lanczos, then denc."""
    return sorted(
        dict.fromkeys(methods), key=lambda m: len(_ORDER) if is_denc(m) else _ORDER.index(m)
    )


def _split(words: Iterable[str]) -> Sequence[str]:
    """Separated by commas or spaces."""
    return [part for word in words for part in word.replace(",", " ").split()]


def _fidelity(word: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BenchUsageError(f"--engines: a fidelity is a number from 0 to 1, not as in {word}")
    return value
