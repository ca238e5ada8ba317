"""Guiding: what would help the viewer's network now, found in a thread of its own.

    Carrier --coded picture, latent, source--> Guiding: decode -> fit --guide--> Carrier

It sees what the viewer sees, so it decodes all that is sent; that is cheap, as latents are small.
A new beginning is looked at three times, once its pictures are like those that follow; from then
on there is a fit a second. Live, nobody waits for it: a picture that it has no time for is left
out, and with it those that need it, up to the next IRAP.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, replace

from daemon.bounded_queue import BoundedQueue
from daemon.figures import Figures
from daemon.log import event
from engines.carrier import CarrierDecoder, CodedPicture
from engines.errors import CarrierError, WeightsError
from engines.frame import Frame
from engines.guide import Guide
from engines.guide_fitter import GuideFitter
from engines.latent import Latent

LOOK_US = 200_000  # of capture time: the pictures right after an IRAP are not like the others
LOOK_SPACING_US = 100_000
FIRST_US = 400_000  # until the first guide
SPACING_US = 1_000_000
WAITING_MAX = 50  # pictures
NICENESS = 10  # of its thread: pictures go first

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sent:
    """A picture as it was coded, its latent before coding, and its source."""

    picture: CodedPicture
    latent: Latent
    frame: Frame


class Guiding:
    """`put` pictures as they are coded; `guide` is what holds by now. For two threads.

    `waits`: `put` waits for it, where the stream is in no hurry.
    """

    def __init__(self, fitter: GuideFitter, figures: Figures, *, waits: bool = False) -> None:
        self._fitter = fitter
        self._figures = figures
        self._sent: BoundedQueue[Sent] = BoundedQueue(1 if waits else WAITING_MAX, waits=waits)
        self._missed = threading.Event()
        self._found: tuple[tuple[int, ...], Guide | None] | None = None
        self._decoder = CarrierDecoder()
        self._waits_for_irap = True
        self._shape: tuple[int, ...] | None = None
        self._began_us = self._due_us = 0

    def guide(self, latent: Latent) -> Guide | None:
        """The newest guide for pictures of this size and scale."""
        found = self._found
        return found[1] if found is not None and found[0] == latent.shape else None

    def put(self, sent: Sent) -> None:
        if self._sent.put(sent):
            self._missed.set()

    def close(self) -> None:
        """No more pictures."""
        self._sent.close(discard=True)

    def run(self) -> None:
        """Work until closed. Without a network that runs, the stream goes on unguided."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            while (sent := self._sent.get()) is not None:
                if self._missed.is_set():
                    self._missed.clear()
                    self._waits_for_irap = True
                self.take(sent)
        except WeightsError as error:
            event(_log, "no guide for the viewer", level=logging.WARNING, reason=str(error))
        finally:
            self._found = None
            self.close()

    def take(self, sent: Sent) -> None:
        """Follow the stream by one picture; fit when it is time."""
        if self._waits_for_irap:
            if not sent.picture.irap:
                return
            self._decoder, self._waits_for_irap = CarrierDecoder(), False
        try:
            decoded = self._decoder.decode(sent.picture.data, sent.picture.number)
        except CarrierError:
            self._waits_for_irap = True
            return
        captured_us, shape = sent.latent.captured_us, sent.latent.shape
        if shape != self._shape:
            self._shape = shape
            self._began_us, self._due_us = captured_us, captured_us + LOOK_US
            self._fitter.forget()
        planes = [p for number, p in decoded if number == sent.picture.number]
        if not planes or captured_us < self._due_us:
            return
        started = time.perf_counter()
        latent = replace(sent.latent, planes=planes[0], qp=sent.picture.qp)
        guide = self._fitter.fit(latent, sent.frame)
        self._figures.observe("guide_ms", (time.perf_counter() - started) * 1e3)
        is_first_look = captured_us - self._began_us < FIRST_US
        self._due_us = captured_us + (LOOK_SPACING_US if is_first_look else SPACING_US)
        if not is_first_look:
            self._found = shape, guide
