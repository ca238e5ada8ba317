"""Which restorer serves which stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TypeAlias

from daemon.log import event
from engines.codec import (
    AUTO,
    PLAIN,
    Partner,
    Restorer,
    installed_network_ids,
    open_restorer,
    partners_of,
)
from engines.condition import FIDELITY
from engines.errors import WeightsError
from engines.runtimes.onnx import VERSION
from link.side_info import NO_NETWORK
from viewer.auto_engine import AutoEngine
from viewer.clock import Clock, monotonic_us
from viewer.pace import Pace
from viewer.picture import Decoded
from viewer.speed_book import SpeedBook

SOME_NETWORK = b"\xff" * len(NO_NETWORK)
Opener: TypeAlias = Callable[..., Restorer]
Finder: TypeAlias = Callable[[bytes], Sequence[Partner]]

_log = logging.getLogger(__name__)


class Restorers:
    """Opens the restorer of a stream's encoder network and keeps it until another one is needed.

    The engine `auto` takes the best network that holds the frame rate (`AutoEngine`), or falls back
    to plain upscaling, with one message that says why. `waits`: every picture is restored, however
    long it takes. An engine asked for by name is insisted on: the viewer does not start
    (UnknownEngineError, WeightsError) when it is not here or damaged; only a stream that another
    network made is upscaled plainly.
    """

    def __init__(
        self,
        engine: str,
        *,
        threads: int,
        fidelity: float = FIDELITY,
        opener: Opener = open_restorer,
        partners: Finder = partners_of,
        book: SpeedBook | None = None,
        clock: Clock = monotonic_us,
        waits: bool = False,
    ) -> None:
        self.reason = ""  # why this engine
        self._engine = engine
        self._threads = threads
        self._fidelity = fidelity
        self._open = partial(opener, threads=threads, fidelity=fidelity)
        self._partners, self._book, self._clock = partners, book or SpeedBook(), clock
        self._waits = waits
        self._network_id: bytes | None = None
        self._size = (0, 0, 0)
        self._restorer: Restorer | None = None
        self._auto: AutoEngine | None = None
        if engine != AUTO:
            for network_id in installed_network_ids() or (SOME_NETWORK,):
                self._open(engine, network_id)

    @property
    def fidelity(self) -> float:
        """From 0, closest to the source, to 1, best looking."""
        return self._fidelity

    def set_fidelity(self, fidelity: float) -> None:
        """Holds from the next picture on; callable from any thread."""
        self._fidelity = fidelity

    @property
    def adapts(self) -> bool:
        """Whether an engine that is too slow is replaced here."""
        return self._auto is not None

    def for_picture(self, picture: Decoded, pace: Pace) -> tuple[Restorer, bool]:
        """The restorer, and whether it is another one than for the picture before."""
        restorer, is_new = self._chosen(picture, pace)
        restorer.fidelity = self._fidelity
        return restorer, is_new

    @cached_property
    def plain(self) -> Restorer:
        """Plain upscaling; at scale 1 the picture as it came."""
        return self._open(PLAIN, NO_NETWORK)

    def give_up(self, error: Exception) -> Restorer:
        """Another engine for this stream from here on, because its network failed while running.

        Raises the error again when it is about the weights of an engine that was asked for.
        """
        assert self._restorer is not None
        if isinstance(error, WeightsError) and self._engine != AUTO:
            raise error
        self.reason = (
            f"{self._restorer.name}: {' '.join(str(error).split()) or type(error).__name__}"
        )
        self._restorer = self.plain if self._auto is None else self._auto.gave_up()
        what = "plain upscaling" if self._restorer.name == PLAIN else "another engine"
        event(_log, what, level=logging.ERROR, engine=self._restorer.name, reason=self.reason)
        return self._restorer

    def _chosen(self, picture: Decoded, pace: Pace) -> tuple[Restorer, bool]:
        network_id, size = picture.network_id, picture.latent.shape
        if self._restorer is None or network_id != self._network_id:
            self._network_id, self._size = network_id, size
            self._restorer = self._begin(picture)
            return self._restorer, True
        if size != self._size and self._auto is not None:
            is_same_source, self._size = size[1:] == self._size[1:], size
            if is_same_source:
                self._auto.rescale(picture.latent)
            else:
                self._restorer = self._begin(picture)
            return self._restorer, True
        if self._auto is not None and not self._waits:
            other = self._auto.next(picture.latent, pace)
            if other is not None:
                self._restorer, self.reason = other, self._auto.reason
                return other, True
            self.reason = self._auto.reason
        return self._restorer, False

    def _begin(self, picture: Decoded) -> Restorer:
        network_id = picture.network_id
        if self._auto is not None:
            self._auto.close()
        self._auto = self._auto_engine(picture)
        if self._auto is None:
            restorer = self._open(self._engine, network_id)
            self.reason = restorer.reason or "as asked for"
            is_meant = network_id == NO_NETWORK or not restorer.reason
        else:
            spacing_us = 1e6 / picture.fps if picture.fps else 0.0
            if self._waits:
                restorer = self._auto.settle(picture.latent, spacing_us)
            else:
                restorer = self._auto.begin(spacing_us)
            self.reason, is_meant = self._auto.reason, restorer.name != PLAIN
        if is_meant:
            event(
                _log,
                "restoring",
                engine=restorer.name,
                network=network_id.hex(),
                reason=self.reason,
            )
        else:
            event(_log, "plain upscaling", level=logging.WARNING, reason=self.reason)
        return restorer

    def _auto_engine(self, picture: Decoded) -> AutoEngine | None:
        """Where there is something to choose from."""
        network_id = picture.network_id
        partners = self._partners(network_id) if self._engine == AUTO else ()
        if not partners:
            return None

        def load(name: str) -> Restorer:
            restorer = self._open(name, network_id)
            if restorer.name != name:
                raise WeightsError(restorer.reason)
            return restorer

        return AutoEngine(
            partners,
            picture.latent,
            load=load,
            book=self._book,
            runtime=VERSION,
            threads=self._threads,
            clock=self._clock,
        )
