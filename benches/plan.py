"""What the quality bench measures: clips, rates, methods, and what each point depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benches.methods import (
    ANCHOR_METHODS,
    ANCHORS,
    CRF28,
    LANCZOS,
    X265_DEFAULT,
    AnchorMethod,
    methods_of,
)
from benches.points import NO_TARGET, hd_factor
from benches.views import View, code_name
from engines.carrier import RESTORED_PARAMS, SLOWER_PARAMS, SMALL_PARAMS
from engines.evaluation.clips import Clip, ClipEntry
from engines.scale import (
    COARSER_ABOVE_QP,
    DETAIL_RANGE,
    FINER_BELOW_QP,
    QP_PER_OCTAVE,
    SCALE_LADDER,
    choose_scale,
)

RATES_KBPS = (40.0, 80.0, 150.0, 300.0, 600.0, 800.0)  # 720p-equivalent
AUTO_SCALE = (
    f"auto {SCALE_LADDER} {COARSER_ABOVE_QP} {FINER_BELOW_QP}"
    f" by detail {DETAIL_RANGE} {QP_PER_OCTAVE}"
)


@dataclass(frozen=True)
class Plan:
    """What is measured of every clip."""

    views: tuple[View, ...]  # denc's methods; the first one's stream is also enlarged by Lanczos
    rates_kbps: tuple[float, ...] = RATES_KBPS  # 720p-equivalent
    anchors: tuple[str, ...] = tuple(ANCHORS)
    scale: int | None = None  # None: as the streamer would choose at the rate
    bits: int = 8
    guided: bool = True  # the sender fits the restorer to the picture

    @property
    def methods(self) -> list[str]:
        """Those that have a point at every rate."""
        return [*methods_of(self.anchors), LANCZOS, *(view.method for view in self.views)]

    def points(self) -> Iterator[tuple[str, float]]:
        """Method and target rate of every point of a clip."""
        for rate in self.rates_kbps:
            for method in self.methods:
                yield method, rate
        if X265_DEFAULT in self.anchors:
            yield CRF28, NO_TARGET

    def view(self, method: str) -> View:
        """What shows a method of denc, or whose stream Lanczos enlarges."""
        return next((v for v in self.views if v.method == method), self.views[0])

    def scale_at(self, clip: Clip, rate_kbps: float) -> int:
        """The scale that denc starts with for a clip at a 720p-equivalent rate."""
        if self.scale is not None:
            return self.scale
        bitrate = rate_kbps * 1000 / hd_factor(clip.width, clip.height)
        return choose_scale(clip.width, clip.height, clip.fps, round(bitrate))

    def source_of(self, method: str, entry: ClipEntry, taken: str) -> str:
        """What a point depends on, for `Point.source`; `taken` tells of the measures."""
        parts = [_reference(entry), taken]
        anchor = anchor_of(method)
        if anchor is not None:
            return "; ".join([*parts, anchor.coder.settings])
        view = self.view(method)
        parts += [view.network, f"code {code_name()}"]
        parts += [f"x265 {RESTORED_PARAMS} {SLOWER_PARAMS} {SMALL_PARAMS}"]
        parts += [f"scale {self.scale or AUTO_SCALE}", f"{self.bits} bits"]
        return "; ".join([*parts, "guided"] if self.guided else parts)


def anchor_of(method: str) -> AnchorMethod | None:
    """The plain codec behind a method; None for denc's."""
    return ANCHOR_METHODS.get(X265_DEFAULT if method == CRF28 else method)


def _reference(entry: ClipEntry) -> str:
    size = entry.file.stat().st_size if entry.file.is_file() else 0
    frames = f"{entry.frames} frames from {entry.start}, {entry.fps:g} frames/s"
    return f"{entry.file.name} of {size} bytes, {entry.filter or 'no filter'}, {frames}"


def doubles(names: Sequence[str]) -> list[str]:
    """Names that stand there more than once."""
    return sorted({name for name in names if names.count(name) > 1})
