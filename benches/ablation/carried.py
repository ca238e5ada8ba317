"""denc's latents through another codec than its own x265.

    latents -> codec -> decoder -> restored, told the QP at which denc's x265 errs as much

The side information counts as many bytes as in denc's own stream. Guides cannot come along: the
streamer fits them to decoded H.265.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benches import BenchError
from benches.channels import RESTORE_BATCH, Channel, DencChannel, Stream, frames_of
from benches.clip_bench import ClipBench, Extra
from benches.coders import X265, Coder, Packet
from benches.plan import Plan
from benches.views import View
from engines.carrier import CodedPicture
from engines.evaluation.clips import Clip
from engines.evaluation.measures import mean_squared_error
from engines.frame import Planes
from engines.latent import Latent
from link.access_unit import AccessUnit
from link.nal import join_annexb
from streamer.side_info import SideInfoWriter

LADDER_CRFS = (12.0, 20.0, 28.0, 36.0, 44.0, 51.0)
STUB = join_annexb([b"\x02\x01\x80"])  # stands for a coded picture
STUB_QP = 30.0
ERROR_MIN = 1e-3  # squared levels


@dataclass(frozen=True, eq=False)
class CarriedStream(Stream):
    """`units` are the packets with the side information before them."""

    packets: tuple[Packet, ...]


class CarriedChannel:
    """The latents of a clip through a codec."""

    def __init__(self, clip: Clip, view: View, coder: Coder, scale: int, bits: int) -> None:
        self.scale, self.qualities = scale, coder.qualities
        self.methods: tuple[str, ...] = (view.method,)
        self._clip, self._view, self._coder, self._bits = clip, view, coder, bits
        encode = view.encoder.encode
        self._latents = [encode(frame, scale=scale, bits=bits) for frame in frames_of(clip)]

    def encode(self, quality: float) -> Stream:
        started = time.perf_counter()
        pictures = [latent.planes for latent in self._latents]
        packets = self._coder.encode(pictures, self._clip.fps, quality)
        seconds = time.perf_counter() - started
        if [packet.number for packet in packets] != list(range(len(pictures))):
            raise BenchError(f"{self._coder.settings}: not one packet a picture, in order")
        writer = SideInfoWriter(self._view.encoder.network_id)
        units = [
            _with_side_information(writer, packet, latent, self._clip.fps)
            for packet, latent in zip(packets, self._latents, strict=True)
        ]
        return CarriedStream(tuple(units), None, seconds, tuple(packets))

    def show(self, stream: Stream, method: str) -> list[Planes]:
        assert isinstance(stream, CarriedStream)
        shown = self._coder.decode(packet.data for packet in stream.packets)
        qp = self._qp_at(_error(shown, self._latents))
        latents = [
            replace(latent, planes=planes, qp=qp)
            for latent, planes in zip(self._latents, shown, strict=True)
        ]
        return [
            frame.planes
            for start in range(0, len(latents), RESTORE_BATCH)
            for frame in self._view.restore(latents[start : start + RESTORE_BATCH])
        ]

    def _qp_at(self, error: float) -> float:
        """Of denc's own x265, between the steps of the ladder."""
        errors, qps = self._ladder
        return float(np.interp(math.log(error), errors, qps))

    @cached_property
    def _ladder(self) -> tuple[list[float], list[float]]:
        """Rising log error of the latents, and the mean QP of denc's own x265 there."""
        channel = DencChannel(
            self._clip, self._view.encoder, (), self.scale, self._bits, guided=False
        )
        steps = []
        for crf in LADDER_CRFS:
            stream = channel.encode(crf)
            decoded = X265().decode(unit.data for unit in stream.units)
            assert stream.qp is not None
            steps.append((math.log(_error(decoded, self._latents)), stream.qp))
        steps.sort()
        return [error for error, _ in steps], [qp for _, qp in steps]


class CarriedBench(ClipBench):
    """Measures one view of the latents of a clip, through a codec."""

    def __init__(self, clip: Clip, plan: Plan, coder: Coder, extras: Sequence[Extra] = ()) -> None:
        super().__init__(clip, plan, extras)
        self._coder = coder

    def _stream(self, method: str, rate_kbps: float) -> tuple[Channel, float, Stream]:
        view, scale = self._plan.view(method), self._plan.scale_at(self.clip, rate_kbps)
        channel, search = self._opened(
            (method, scale),
            lambda: CarriedChannel(self.clip, view, self._coder, scale, self._plan.bits),
        )
        return channel, *search.at(self._bits_at(rate_kbps))


def _with_side_information(
    writer: SideInfoWriter, packet: Packet, latent: Latent, fps: float
) -> AccessUnit:
    unit = writer.access_unit(CodedPicture(STUB, packet.key, STUB_QP, packet.number), latent, fps)
    return replace(unit, data=unit.data.removesuffix(STUB) + packet.data)


def _error(shown: Sequence[Planes], latents: Sequence[Latent]) -> float:
    """Mean squared error of the luma."""
    if len(shown) != len(latents):
        raise BenchError(f"{len(shown)} of {len(latents)} latents decoded")
    errors = [mean_squared_error(a.y, b.planes.y) for a, b in zip(shown, latents, strict=True)]
    return max(sum(errors) / len(errors), ERROR_MIN)
