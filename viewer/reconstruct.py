"""Restoration runs in a thread of its own, apart from decoding."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from daemon.figures import Figures
from daemon.log import event
from daemon.stage import Stage
from engines.codec import PLAIN, Restorer
from engines.frame import Frame
from viewer.buffer import LatentBuffer
from viewer.clock import Clock
from viewer.latency import Latency, Passage
from viewer.picture import Decoded, Shown
from viewer.restorers import Restorers

_log = logging.getLogger(__name__)


class Reconstruction:
    """Takes batches from the buffer, restores them and hands every picture on, in order.

    With `live` the latency of a picture counts from its capture where its sender tells that, else
    from its arrival.
    Pictures that travel at full size, scale 1, can be seen as they came: they are, from the time on
    that this machine proves too slow to restore them all.
    """

    def __init__(
        self,
        *,
        buffer: LatentBuffer,
        restorers: Restorers,
        show: Callable[[Shown], None],
        failed: Callable[[BaseException], None],
        figures: Figures,
        monotonic: Clock,
        unix: Clock,
        live: bool,
        latency: Latency | None = None,
    ) -> None:
        self._buffer = buffer
        self._restorers = restorers
        self._show = show
        self._figures = figures
        self._monotonic = monotonic
        self._unix = unix
        self._live = live
        self._latency = latency or Latency(figures)
        self._as_they_came = False
        self._stage = Stage("reconstruct", self._run, failed)

    def close(self, *, discard: bool) -> None:
        """End, after everything in the buffer is restored or discarded."""
        self._buffer.close(discard=discard)
        self._stage.join()

    def _run(self) -> None:
        while batch := self._buffer.take():
            restorer, is_new = self._restorers.for_picture(batch[0], self._buffer.pace)
            if is_new:
                self._buffer.forget_cost()
                self._as_they_came = False
            adapts = self._restorers.adapts
            if batch[0].latent.scale == 1 and not adapts and self._too_slow():
                restorer = self._restorers.plain
            self._figures.set("engine", restorer.name)
            self._figures.set("engine_reason", self._restorers.reason)
            taken_us, started = self._monotonic(), time.perf_counter()
            frames, restorer = self._restore(restorer, batch)
            duration_s = time.perf_counter() - started
            self._buffer.measured(len(batch), duration_s * 1e6)
            self._figures.observe("restore_ms", duration_s * 1e3)
            self._figures.set("batch", len(batch))
            for picture, frame in zip(batch, frames, strict=False):
                self._hand_on(picture, frame, restorer.name, taken_us)

    def _too_slow(self) -> bool:
        if not self._as_they_came and self._buffer.falls_behind:
            self._as_they_came = True
            event(_log, "pictures of full size are shown as they come: restoring takes too long")
        return self._as_they_came

    def _restore(self, restorer: Restorer, batch: list[Decoded]) -> tuple[list[Frame], Restorer]:
        """A network that fails gives way to the next one, at last to plain upscaling; a picture
        that fails there is lost."""
        try:
            return restorer.restore([picture.latent for picture in batch]), restorer
        except Exception as error:  # a runtime may raise anything; the viewer must stay up
            if restorer.name == PLAIN:
                self._figures.add("frames_lost", len(batch))
                event(_log, "cannot be restored", level=logging.DEBUG, reason=str(error))
                return [], restorer
            other = self._restorers.give_up(error)
            self._buffer.forget_cost()
        self._figures.set("engine", other.name)
        return self._restore(other, batch)

    def _hand_on(self, picture: Decoded, frame: Frame, engine: str, taken_us: int) -> None:
        restored_us, shown_us = self._monotonic(), self._unix()
        passage = Passage(
            captured_us=frame.captured_us,
            arrived_us=picture.arrived_us,
            decoded_us=picture.decoded_us,
            taken_us=taken_us,
            restored_us=restored_us,
            shown_us=shown_us,
        )
        if self._live and picture.capture_known:
            latency_us = self._latency.shown(passage)
        else:
            self._latency.taken(passage)
            latency_us = restored_us - picture.arrived_us
        self._figures.add("frames_shown")
        self._figures.rate("fps", 1)
        self._figures.observe("latency_ms", latency_us / 1e3)
        self._show(Shown(frame, picture, engine, shown_us, latency_us))
