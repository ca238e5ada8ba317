"""Restoration runs in a thread of its own, apart from decoding."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from daemon.log import event
from daemon.stage import Stage
from engines.codec import PLAIN, Restorer
from engines.frame import Frame
from link.clock import Clock
from viewer.buffer import LatentBuffer
from viewer.latency import Passage
from viewer.outlet import Outlet
from viewer.picture import Decoded, Shown
from viewer.restorers import Restorers

_log = logging.getLogger(__name__)


class Reconstruction:
    """Takes batches from the buffer, restores them and hands every picture on, in order, to the
    outlet of its place.

    Pictures that travel at full size, scale 1, can be seen as they came: they are, from the time on
    that this machine proves too slow to restore them all.
    """

    def __init__(
        self,
        *,
        buffer: LatentBuffer,
        restorers: Restorers,
        outlets: Sequence[Outlet],
        failed: Callable[[BaseException], None],
        monotonic: Clock,
        unix: Clock,
    ) -> None:
        self._buffer = buffer
        self._restorers = restorers
        self._outlets = outlets
        self._monotonic = monotonic
        self._unix = unix
        self._as_they_came: set[tuple[int, ...]] = set()  # sizes
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
                self._as_they_came.clear()
            latent = batch[0].latent
            if latent.scale == 1 and not self._restorers.adapts and self._too_slow(latent.shape):
                restorer = self._restorers.plain
            taken_us, started = self._monotonic(), time.perf_counter()
            frames, restorer = self._restore(restorer, batch)
            duration_s = time.perf_counter() - started
            self._buffer.measured(len(batch), duration_s * 1e6)
            for place in {picture.place for picture in batch}:
                figures = self._outlets[place].figures
                figures.set("engine", restorer.name)
                figures.set("engine_reason", self._restorers.reason)
                figures.observe("restore_ms", duration_s * 1e3)
                figures.set("batch", len(batch))
            for picture, frame in zip(batch, frames, strict=False):
                self._hand_on(picture, frame, restorer.name, taken_us)

    def _too_slow(self, size: tuple[int, ...]) -> bool:
        if size not in self._as_they_came and self._buffer.falls_behind:
            self._as_they_came.add(size)
            event(_log, "pictures of full size are shown as they come: restoring takes too long")
        return size in self._as_they_came

    def _restore(self, restorer: Restorer, batch: list[Decoded]) -> tuple[list[Frame], Restorer]:
        """A network that fails gives way to the next one, at last to plain upscaling; a picture
        that fails there is lost."""
        try:
            return restorer.restore([picture.latent for picture in batch]), restorer
        except Exception as error:  # a runtime may raise anything; the viewer must stay up
            if restorer.name == PLAIN:
                for picture in batch:
                    self._outlets[picture.place].figures.add("frames_lost")
                event(_log, "cannot be restored", level=logging.DEBUG, reason=str(error))
                return [], restorer
            other = self._restorers.give_up(error)
            self._buffer.forget_cost()
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
        outlet = self._outlets[picture.place]
        if outlet.live and picture.capture_known:
            latency_us = outlet.latency.shown(passage)
        else:
            outlet.latency.taken(passage)
            latency_us = restored_us - picture.arrived_us
        outlet.figures.add("frames_shown")
        outlet.figures.rate("fps", 1)
        outlet.figures.observe("latency_ms", latency_us / 1e3)
        outlet.show(Shown(frame, picture, engine, shown_us, latency_us))
