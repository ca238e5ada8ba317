"""What is compared: a clip, encoded at a quality setting, and what a viewer makes of that stream.

    DencChannel     latents -> x265 -> access units with side information -> the viewer's decoder
                    -> restored, at every fidelity, or the same latents enlarged by Lanczos
    CoderChannel    [smaller ->] a plain codec -> its decoder [-> Lanczos]

The carrier of denc is set as the streamer sets it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from benches import BenchError
from benches.coders import CRF, X265_PRESET, Coder, QualityRange
from benches.methods import LANCZOS
from benches.views import LatentMaker, View
from daemon.figures import Figures
from engines.carrier import CarrierEncoder, CodedPicture, best_preset
from engines.codec import PLAIN, open_restorer
from engines.evaluation.clips import Clip
from engines.frame import Frame, Planes, resized
from engines.guide import Guide
from engines.guide_fitter import open_guide_fitter
from engines.latent import Latent
from engines.weight_store import NO_NETWORK
from link.access_unit import AccessUnit
from streamer.guiding import Guiding, Sent
from streamer.side_info import SideInfoWriter
from viewer.decoder import StreamDecoder
from viewer.timeline import Timeline

ANCHOR_PRESET = X265_PRESET
RESTORE_BATCH = 4  # latents restored in one go
FIT_S_PER_PIXEL = 3.6e-7  # of the source: 325 ms at 1280x720 on one core (docs/results.md)


@dataclass(frozen=True, eq=False)
class Stream:
    """A clip, encoded: what would travel, in bytes before RTP."""

    units: tuple[AccessUnit, ...]  # in coding order
    qp: float | None  # mean over the pictures; None where the codec does not tell
    encode_s: float  # the codec alone

    @property
    def bits(self) -> int:
        return 8 * sum(len(unit.data) for unit in self.units)


class Channel(Protocol):
    """One way to send a clip."""

    scale: int
    qualities: QualityRange

    def encode(self, quality: float) -> Stream: ...

    def show(self, stream: Stream, method: str) -> list[Planes]:
        """The pictures at the clip's size, as one of the methods that share the stream shows it."""


class DencChannel:
    """denc as it sends and receives; `scale` 1..4 and `bits` 4..8 as in `engines.codec`."""

    qualities = CRF

    def __init__(
        self,
        clip: Clip,
        encoder: LatentMaker,
        views: Sequence[View],
        scale: int,
        bits: int,
        *,
        guided: bool = True,
    ) -> None:
        """`views`: what shows its streams, beside Lanczos."""
        self.scale = scale
        plain = open_restorer(PLAIN, b"", threads=1)
        self._shows: Mapping[str, Callable[[Sequence[Latent]], list[Frame]]] = {
            LANCZOS: plain.restore,
            **{view.method: view.restore for view in views},
        }
        self._clip = clip
        self._network_id = encoder.network_id
        self._restored = encoder.network_id != NO_NETWORK
        self._latents = [encoder.encode(frame, scale=scale, bits=bits) for frame in frames_of(clip)]
        self._decoded: tuple[Stream, list[Latent]] | None = None
        self._fitter = open_guide_fitter(encoder.network_id, threads=1) if guided else None

    def encode(self, quality: float) -> Stream:
        latents = {latent.number: latent for latent in self._latents}
        coded, seconds = _encode(
            [latent.planes for latent in self._latents],
            self._clip.fps,
            quality,
            self.scale,
            restored=self._restored,
        )
        writer, guides = SideInfoWriter(self._network_id), self._guides(coded)
        units = [
            writer.access_unit(picture, latents[picture.number], self._clip.fps, guide)
            for picture, guide in zip(coded, guides, strict=True)
        ]
        return Stream(tuple(units), _mean_qp(coded), seconds)

    def _guides(self, coded: Sequence[CodedPicture]) -> list[Guide | None]:
        """The guide that holds when each picture is sent, as the streamer finds them."""
        if self._fitter is None:
            return [None] * len(coded)
        guiding = Guiding(self._fitter, Figures())
        pixels = self._clip.width * self._clip.height
        found: list[Guide | None] = [None] * math.ceil(FIT_S_PER_PIXEL * pixels * self._clip.fps)
        for picture, latent, frame in zip(coded, self._latents, frames_of(self._clip), strict=True):
            guiding.take(Sent(picture, latent, frame))
            found.append(guiding.guide(latent))
        return found[: len(coded)]

    def show(self, stream: Stream, method: str) -> list[Planes]:
        latents, restore = self._decode(stream), self._shows[method]
        frames: list[Frame] = []
        for start in range(0, len(latents), RESTORE_BATCH):
            frames += restore(latents[start : start + RESTORE_BATCH])
        return [frame.planes for frame in frames]

    def _decode(self, stream: Stream) -> list[Latent]:
        """The latents as the viewer gets them; kept, because both methods ask."""
        if self._decoded is None or self._decoded[0] is not stream:
            timeline, decoder = Timeline(), StreamDecoder(lambda: None, Figures(), lambda: 0)
            latents = []
            for sequence, unit in enumerate(stream.units):
                stamped, error = timeline.stamp(unit, sequence, len(unit.data), 0)
                assert error is None, error
                latents += [decoded.latent for decoded in decoder.decode(stamped)]
            assert [la.number for la in latents] == [la.number for la in self._latents]
            self._decoded = stream, latents
        return self._decoded[1]


class CoderChannel:
    """A plain codec at 1 / `scale` of the size; shown at full size by Lanczos."""

    def __init__(self, clip: Clip, coder: Coder, scale: int = 1) -> None:
        self.scale = scale
        self.qualities = coder.qualities
        self._clip, self._coder = clip, coder
        even = (-(-clip.width // (2 * scale)) * 2, -(-clip.height // (2 * scale)) * 2)
        self._pictures = [resized(p, even if scale > 1 else _size(p)) for p in clip.pictures]

    def encode(self, quality: float) -> Stream:
        started = time.perf_counter()
        packets = self._coder.encode(self._pictures, self._clip.fps, quality)
        units = tuple(AccessUnit(p.data, p.number, p.key) for p in packets)
        return Stream(units, None, time.perf_counter() - started)

    def show(self, stream: Stream, method: str) -> list[Planes]:
        size = self._clip.width, self._clip.height
        shown = self._coder.decode(unit.data for unit in stream.units)
        if len(shown) != len(self._pictures):
            raise BenchError(f"{method}: {len(shown)} of {len(self._pictures)} pictures decoded")
        return [resized(planes, size) for planes in shown]


def frames_of(clip: Clip) -> list[Frame]:
    """The clip's pictures as captured at its frame rate."""
    return [
        Frame(planes, number, round(number * 1e6 / clip.fps))
        for number, planes in enumerate(clip.pictures)
    ]


def _size(planes: Planes) -> tuple[int, int]:
    return planes.width, planes.height


def _encode(
    pictures: Sequence[Planes], fps: float, crf: float, scale: int, *, restored: bool
) -> tuple[list[CodedPicture], float]:
    started = time.perf_counter()
    width, height = _size(pictures[0])
    preset = best_preset(width, height, scale, restored=restored)
    encoder = CarrierEncoder(
        width, height, fps, crf=crf, preset=preset, restored=restored, scale=scale
    )
    coded: list[CodedPicture] = []
    for number, planes in enumerate(pictures):
        coded += encoder.encode(planes, number)
    coded += encoder.close()
    return coded, time.perf_counter() - started


def _mean_qp(coded: Sequence[CodedPicture]) -> float:
    return sum(picture.qp for picture in coded) / len(coded)
