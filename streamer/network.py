"""Network: frame -> latent, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from daemon.bounded_queue import BoundedQueue
from daemon.figures import Figures
from daemon.log import event
from engines.frame import Frame
from engines.latent import Latent
from streamer.capture import Shot
from streamer.scale_control import ScaleControl

_log = logging.getLogger(__name__)


class LatentMaker(Protocol):
    """What the stage needs of `engines.codec.LatentEncoder`."""

    name: str
    network_id: bytes

    def encode(self, frame: Frame, *, scale: int, bits: int) -> Latent: ...


@dataclass(frozen=True)
class NetworkSettings:
    """What the user chose; `duration_us` None is until the shots end."""

    bits: int
    duration_us: int | None = None


@dataclass(frozen=True, eq=False)
class LatentShot:
    """A latent picture, what it was made from, and how many a second are to be expected."""

    latent: Latent
    frame: Frame
    fps: float


class Network:
    """Takes the newest shot, makes its latent, and waits until the carrier takes it.

    While nobody wants them (`wanted()` is false) shots are thrown away: an idle streamer costs
    next to nothing. The duration counts captured time, from the first shot that was wanted.
    """

    def __init__(
        self,
        maker: LatentMaker,
        settings: NetworkSettings,
        scale: ScaleControl,
        shots: BoundedQueue[Shot],
        latents: BoundedQueue[LatentShot],
        figures: Figures,
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._maker = maker
        self._settings = settings
        self._scale = scale
        self._shots = shots
        self._latents = latents
        self._figures = figures
        self._wanted = wanted
        self._format: tuple[int, int, float] | None = None
        self._shown_scale: int | None = None
        self._last_number = -1
        self._started_us: int | None = None
        figures.set("engine", maker.name)

    def run(self) -> None:
        """Work until the shots end or the duration is over; the latents then end as well."""
        try:
            while (shot := self._shots.get()) is not None:
                if shot.frame.number <= self._last_number:
                    continue  # a reader that was given up came back
                if not self._wanted():
                    continue
                if self._is_over(shot.frame):
                    return
                self._last_number = shot.frame.number
                self._latents.put(LatentShot(self._latent(shot), shot.frame, shot.fps))
        finally:
            self._latents.close()

    def _is_over(self, frame: Frame) -> bool:
        if self._started_us is None:
            self._started_us = frame.captured_us
        duration_us = self._settings.duration_us
        return duration_us is not None and frame.captured_us - self._started_us >= duration_us

    def _latent(self, shot: Shot) -> Latent:
        shape = (shot.frame.width, shot.frame.height, shot.fps)
        if shape != self._format:
            self._format, self._shown_scale = shape, None
            self._scale.start(*shape)
        self._scale.look(shot.frame)
        scale = self._scale.scale
        if scale != self._shown_scale:
            self._tell(scale, *shape)
        started = time.perf_counter()
        latent = self._maker.encode(shot.frame, scale=scale, bits=self._settings.bits)
        self._figures.observe("network_ms", (time.perf_counter() - started) * 1e3)
        self._figures.set("bits", latent.codebook.bits)
        return latent

    def _tell(self, scale: int, width: int, height: int, fps: float) -> None:
        self._shown_scale = scale
        size = f"{width}x{height}"
        for name, value in (("size", size), ("fps", fps), ("scale", scale)):
            self._figures.set(name, value)
        event(
            _log, "encoding", engine=self._maker.name, size=size, fps=fps, scale=scale,
            bits=self._settings.bits,
        )  # fmt: skip
