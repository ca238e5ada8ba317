"""Encode: frame -> latent -> H.265 -> access unit, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.log import event
from engines.carrier import CarrierEncoder, CodedPicture
from engines.codec import choose_scale
from engines.errors import CarrierError
from engines.frame import Frame
from engines.latent import Latent
from link.access_unit import AccessUnit
from streamer.capture import Shot
from streamer.irap import IrapGate
from streamer.side_info import SideInfoWriter

PENDING_MAX = 16  # pictures inside the carrier; it holds one at the most
FAILURES_MAX = 5  # of the carrier in a row, then something is wrong with this machine

_log = logging.getLogger(__name__)


class LatentMaker(Protocol):
    """What the stage needs of `engines.codec.LatentEncoder`."""

    name: str
    network_id: bytes

    def encode(self, frame: Frame, *, scale: int, bits: int) -> Latent: ...


@dataclass(frozen=True)
class EncodeSettings:
    """What the user chose; `scale` None lets the bitrate decide."""

    bitrate_bps: int
    scale: int | None
    bits: int
    preset: str
    threads: int


@dataclass(frozen=True)
class CodedUnit:
    """An access unit on its way out."""

    unit: AccessUnit
    captured_us: int
    encoded_at: float  # monotonic seconds


class Encode:
    """Takes the newest shot, makes an access unit of it, and delivers it.

    While nobody wants them (`wanted()` is false) shots are thrown away: an idle streamer costs
    next to nothing. A new picture size opens a new carrier, which begins with an IRAP.
    """

    def __init__(
        self,
        network: LatentMaker,
        settings: EncodeSettings,
        shots: BoundedQueue[Shot],
        deliver: Callable[[CodedUnit], None],
        figures: Figures,
        *,
        wanted: Callable[[], bool] = lambda: True,
        duration_us: int | None = None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._shots = shots
        self._deliver = deliver
        self._figures = figures
        self._wanted = wanted
        self._duration_us = duration_us
        self._gate = IrapGate()
        self._side_info = SideInfoWriter(network.network_id)
        self._carrier: CarrierEncoder | None = None
        self._format: tuple[int, int, float] | None = None
        self._scale = 1
        self._pending: dict[int, Latent] = {}
        self._last_number = -1
        self._failures = 0
        self._started_us: int | None = None
        figures.set("engine", network.name)
        figures.set("bits", settings.bits)

    def request_irap(self) -> None:
        """Make the next picture one that decoding can start at; from any thread."""
        self._gate.request()

    def run(self) -> None:
        """Encode until the shots end or the duration is over. Raises RunError."""
        while (shot := self._shots.get()) is not None:
            if shot.frame.number <= self._last_number:
                continue  # a reader that was given up came back
            if not self._wanted():
                continue
            if self._is_over(shot.frame):
                break
            self._encode(shot)
        self._close_carrier()

    def _is_over(self, frame: Frame) -> bool:
        if self._started_us is None:
            self._started_us = frame.captured_us
        elapsed_us = frame.captured_us - self._started_us
        return self._duration_us is not None and elapsed_us >= self._duration_us

    def _encode(self, shot: Shot) -> None:
        frame = shot.frame
        self._last_number = frame.number
        shape = (frame.width, frame.height, shot.fps)
        if shape != self._format:
            self._close_carrier()
            self._start(*shape)
        started = time.perf_counter()
        latent = self._network.encode(frame, scale=self._scale, bits=self._settings.bits)
        network_done = time.perf_counter()
        try:
            self._code(latent)
        except CarrierError as error:
            self._failed(error)
            return
        self._failures = 0
        self._figures.observe("network_ms", (network_done - started) * 1e3)
        self._figures.observe("carrier_ms", (time.perf_counter() - network_done) * 1e3)

    def _start(self, width: int, height: int, fps: float) -> None:
        settings = self._settings
        self._format = (width, height, fps)
        self._scale = settings.scale or choose_scale(width, height, fps, settings.bitrate_bps)
        self._figures.set("size", f"{width}x{height}")
        self._figures.set("fps", fps)
        self._figures.set("scale", self._scale)
        event(
            _log, "encoding", engine=self._network.name, size=f"{width}x{height}", fps=fps,
            scale=self._scale, bits=settings.bits, bitrate_bps=settings.bitrate_bps,
        )  # fmt: skip

    def _code(self, latent: Latent) -> None:
        if self._carrier is None:
            assert self._format is not None
            self._carrier = CarrierEncoder(
                latent.planes.width,
                latent.planes.height,
                self._format[2],
                bitrate_bps=self._settings.bitrate_bps,
                preset=self._settings.preset,
                threads=self._settings.threads,
            )
        self._pending[latent.number] = latent
        irap = self._gate.take(latent.captured_us)
        self._out(self._carrier.encode(latent.planes, latent.number, irap=irap))
        while len(self._pending) > PENDING_MAX:
            self._pending.pop(next(iter(self._pending)))

    def _out(self, pictures: list[CodedPicture]) -> None:
        for picture in pictures:
            latent = self._pending.pop(picture.number, None)
            if latent is None or self._format is None:
                continue
            if picture.irap:
                self._gate.made(latent.captured_us)
            unit = self._side_info.access_unit(picture, latent, self._format[2])
            self._figures.set("qp", round(picture.qp, 2))
            self._deliver(CodedUnit(unit, latent.captured_us, time.monotonic()))

    def _close_carrier(self) -> None:
        if self._carrier is not None:
            self._out(self._carrier.close())
        self._carrier = None
        self._pending.clear()

    def _failed(self, error: CarrierError) -> None:
        """The picture is lost; the next one starts a new carrier, with an IRAP."""
        self._failures += 1
        self._figures.add("carrier_errors")
        if self._failures == 1:
            event(_log, f"carrier starts anew: {error}", level=logging.WARNING)
        if self._failures >= FAILURES_MAX:
            raise RunError(str(error)) from error
        self._carrier = None
        self._pending.clear()
