"""Measures the points of one clip; channels and their streams are made when first needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from benches import crops
from benches.channels import Channel, CoderChannel, DencChannel, Stream
from benches.measured import STRUCTURE
from benches.methods import CRF28, CRF28_QUALITY
from benches.plan import Plan, anchor_of
from benches.points import Point, hd_factor
from benches.rates import RateSearch
from benches.views import measures_name
from engines.detail import lost_detail
from engines.evaluation.clips import Clip
from engines.evaluation.measures import STRUCTURE_FRAMES, measure
from engines.frame import Planes
from engines.scale import better_scale

THREADS = 2


class Extra(Protocol):
    """Measures that look at some frames: `benches.perceptual`, `benches.official`."""

    @property
    def names(self) -> Sequence[str]: ...

    def frames_of(self, count: int) -> int:
        """How many frames of a clip of `count` are looked at."""

    def measure(self, test: Sequence[Planes], reference: Sequence[Planes]) -> Mapping[str, float]:
        """By name, means over those frames."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """A stream as one method shows it, measured."""

    measures: Mapping[str, float]
    middle: Planes
    show_ms: float
    measure_s: float


class ClipBench:
    """Measures one clip. A stream that serves several rates, because its codec cannot go lower,
    is measured once."""

    def __init__(self, clip: Clip, plan: Plan, extras: Sequence[Extra] = ()) -> None:
        self.clip = clip
        self._plan = plan
        self._extras = extras
        self._factor = hd_factor(clip.width, clip.height)
        self._channels: dict[tuple[object, ...], tuple[Channel, RateSearch]] = {}
        self._seen: dict[tuple[str, int, float], _Seen] = {}
        self._lost = lost_detail(clip.pictures[len(clip.pictures) // 2].y)

    def measure(self, method: str, rate_kbps: float, source: str) -> tuple[Point, Planes]:
        """One point, and the clip's middle picture as it was measured."""
        channel, quality, stream = self._stream(method, rate_kbps)
        key = method, channel.scale, quality
        if key not in self._seen:
            self._seen[key] = self._look(channel, stream, method)
        seen, frames = self._seen[key], len(self.clip.pictures)
        kbps = stream.bits / self.clip.seconds / 1000
        point = Point(
            clip=self.clip.name,
            method=method,
            source=source,
            target_kbps=rate_kbps,
            bits=stream.bits,
            kbps=kbps,
            kbps_720p=kbps * self._factor,
            frames=frames,
            scale=channel.scale,
            quality=quality,
            qp=stream.qp,
            encode_ms=1e3 * stream.encode_s / frames,
            show_ms=seen.show_ms,
            measure_s=seen.measure_s,
            measures=seen.measures,
            sampled=sampled(self._extras, frames),
        )
        return point, seen.middle

    def _look(self, channel: Channel, stream: Stream, method: str) -> _Seen:
        reference = self.clip.pictures
        started = time.perf_counter()
        pictures = channel.show(stream, method)
        shown = time.perf_counter()
        found = asdict(measure(pictures, reference, thorough=True, threads=THREADS))
        del found["frames"]
        for extra in self._extras:
            found |= extra.measure(pictures, reference)
        return _Seen(
            measures={name: value for name, value in found.items() if value is not None},
            middle=pictures[crops.typical(len(pictures))],
            show_ms=1e3 * (shown - started) / len(pictures),
            measure_s=time.perf_counter() - shown,
        )

    def _stream(self, method: str, rate_kbps: float) -> tuple[Channel, float, Stream]:
        """What sends it, its quality setting, and the stream."""
        anchor = anchor_of(method)
        if anchor is None:
            return self._denc_stream(method, rate_kbps)
        channel, search = self._opened(
            (anchor.coder, anchor.scale),
            lambda: CoderChannel(self.clip, anchor.coder, anchor.scale),
        )
        if method == CRF28:
            return channel, CRF28_QUALITY, search.at_quality(CRF28_QUALITY)
        return channel, *search.at(self._bits_at(rate_kbps))

    def _denc_stream(self, method: str, rate_kbps: float) -> tuple[Channel, float, Stream]:
        encoder, plan = self._plan.view(method).encoder, self._plan
        views = [v for v in plan.views if v.encoder.network_id == encoder.network_id]

        def opened(scale: int) -> tuple[Channel, RateSearch]:
            return self._opened(
                (encoder.network_id, scale),
                lambda: DencChannel(
                    self.clip, encoder, views, scale, plan.bits, guided=plan.guided
                ),
            )

        scale, tried = plan.scale_at(self.clip, rate_kbps), set[int]()
        while plan.scale is None and scale not in tried:  # as `streamer.scale_control` does
            tried.add(scale)
            _, stream = opened(scale)[1].at(self._bits_at(rate_kbps))
            assert stream.qp is not None
            scale = better_scale(scale, stream.qp, self._lost)
        channel, search = opened(scale)
        return channel, *search.at(self._bits_at(rate_kbps))

    def _bits_at(self, rate_kbps: float) -> float:
        return rate_kbps * 1000 / self._factor * self.clip.seconds

    def _opened(
        self, key: tuple[object, ...], make: Callable[[], Channel]
    ) -> tuple[Channel, RateSearch]:
        if key not in self._channels:
            channel = make()
            self._channels[key] = channel, RateSearch(channel.encode, channel.qualities)
        return self._channels[key]


def sampled(extras: Sequence[Extra], frames: int) -> dict[str, int]:
    """Measure -> how many of a clip's frames it looks at, of those that do not look at all."""
    found = dict.fromkeys(STRUCTURE, min(STRUCTURE_FRAMES, frames))
    for extra in extras:
        found |= dict.fromkeys(extra.names, extra.frames_of(frames))
    return {name: looked for name, looked in found.items() if looked < frames}


def taken(extras: Sequence[Extra], frames: int) -> str:
    """The optional measures and their frames, for `Point.source`."""
    names = [f"{name} {extra.frames_of(frames)}" for extra in extras for name in extra.names]
    return f"measures {measures_name()} {' '.join(names)}".rstrip()
