"""Carrier: latent -> H.265 -> access unit with side information, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.log import event
from engines.carrier import CodedPicture
from engines.errors import CarrierError
from engines.rated_carrier import RatedEncoder
from engines.weight_store import NO_NETWORK
from link.access_unit import AccessUnit
from streamer.effort import Effort
from streamer.guiding import Guiding, Sent
from streamer.irap import IrapGate
from streamer.network import LatentShot
from streamer.scale_control import ScaleControl
from streamer.side_info import SideInfoWriter

PENDING_MAX = 16  # pictures inside the encoder; it holds one at the most
DEBT_MAX_S = 0.4  # of the rate; then pictures are left out until it is paid
FAILURES_MAX = 5  # of the encoder in a row, then something is wrong with this machine

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CarrierSettings:
    """Of x265."""

    bitrate_bps: int  # to begin with
    preset: str | None  # None: as far as the machine holds the frame rate
    threads: int
    paced: bool  # pictures come at their rate, whether they are wanted or not


@dataclass(frozen=True)
class CodedUnit:
    """An access unit on its way out."""

    unit: AccessUnit
    captured_us: int
    encoded_at: float  # monotonic seconds


class Carrier:
    """Codes every latent and delivers its access unit.

    A new picture size, frame rate or failure opens a new encoder, which begins with an IRAP.
    """

    def __init__(
        self,
        network_id: bytes,
        settings: CarrierSettings,
        scale: ScaleControl,
        latents: BoundedQueue[LatentShot],
        deliver: Callable[[CodedUnit], None],
        figures: Figures,
        guiding: Guiding | None = None,
    ) -> None:
        self._settings = settings
        self._bitrate_bps = settings.bitrate_bps
        self._scale = scale
        self._latents = latents
        self._deliver = deliver
        self._guiding = guiding
        self._figures = figures
        self._gate = IrapGate()
        self._side_info = SideInfoWriter(network_id)
        self._restored = network_id != NO_NETWORK
        self._effort = Effort(settings.preset, restored=self._restored, paced=settings.paced)
        self._encoder: RatedEncoder | None = None
        self._format: tuple[int, int, float] | None = None
        self._preset = ""
        self._pending: dict[int, LatentShot] = {}
        self._failures = 0

    def request_irap(self) -> None:
        """Make the next picture one that decoding can start at; from any thread."""
        self._gate.request()

    def set_bitrate(self, bitrate_bps: int) -> None:
        """The rate from the next picture on; from any thread."""
        self._bitrate_bps = bitrate_bps

    def run(self) -> None:
        """Code until the latents end. Raises RunError when the encoder cannot go on."""
        try:
            while (shot := self._latents.get()) is not None:
                started = time.perf_counter()
                try:
                    self._code(shot)
                    self._failures = 0
                except CarrierError as error:
                    self._failed(error)
                took = time.perf_counter() - started
                self._figures.observe("carrier_ms", took * 1e3)
                if self._effort.took(took, shot.fps):
                    self._format = None
            self._close()
        finally:
            self._latents.close(discard=True)
            if self._guiding is not None:
                self._guiding.close()

    def _code(self, shot: LatentShot) -> None:
        latent = shot.latent
        shape = (latent.planes.width, latent.planes.height, shot.fps)
        if self._encoder is None or shape != self._format:
            self._close()
            self._format = shape
            preset = self._effort.preset(*shape[:2], latent.scale)
            self._encoder = RatedEncoder(
                *shape,
                bitrate_bps=self._bitrate_bps,
                preset=preset,
                restored=self._restored,
                scale=latent.scale,
                threads=self._settings.threads,
            )
            self._show(preset)
        self._encoder.set_bitrate(self._bitrate_bps)
        if self._encoder.debt_s(latent.captured_us) > DEBT_MAX_S:
            self._figures.add("frames_skipped")
            return
        self._pending[latent.number] = shot
        irap = self._gate.take(latent.captured_us)
        self._out(self._encoder.encode(latent.planes, latent.number, latent.captured_us, irap=irap))
        while len(self._pending) > PENDING_MAX:
            self._pending.pop(next(iter(self._pending)))

    def _show(self, preset: str) -> None:
        if preset != self._preset:
            event(_log, "x265", preset=preset)
            self._figures.set("preset", preset)
        self._preset = preset

    def _out(self, pictures: list[CodedPicture]) -> None:
        for picture in pictures:
            shot = self._pending.pop(picture.number, None)
            if shot is None:
                continue
            captured_us = shot.latent.captured_us
            if picture.irap:
                self._gate.made(captured_us)
            guide = None
            if self._guiding is not None:
                guide = self._guiding.guide(shot.latent)
                self._guiding.put(Sent(picture, shot.latent, shot.frame))
            unit = self._side_info.access_unit(picture, shot.latent, shot.fps, guide)
            self._figures.set("qp", round(picture.qp, 2))
            self._scale.coded(shot.latent.scale, picture.qp, picture.irap, captured_us)
            self._deliver(CodedUnit(unit, captured_us, time.monotonic()))

    def _close(self) -> None:
        if self._encoder is not None:
            self._out(self._encoder.close())
        self._encoder = None
        self._pending.clear()

    def _failed(self, error: CarrierError) -> None:
        """The picture is lost; the next one starts a new encoder."""
        self._failures += 1
        self._figures.add("carrier_errors")
        if self._failures == 1:
            event(_log, f"the carrier starts anew: {error}", level=logging.WARNING)
        if self._failures >= FAILURES_MAX:
            raise RunError(str(error)) from error
        self._encoder = None
        self._pending.clear()
