"""Which restorer serves which stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property, partial
from typing import TypeAlias

from daemon.log import event
from engines.codec import AUTO, PLAIN, Restorer, installed_network_ids, open_restorer
from engines.condition import FIDELITY
from engines.errors import WeightsError
from link.side_info import NO_NETWORK

SOME_NETWORK = b"\xff" * len(NO_NETWORK)
Opener: TypeAlias = Callable[..., Restorer]

_log = logging.getLogger(__name__)


class Restorers:
    """Opens the restorer of a stream's encoder network and keeps it until another one is needed.

    The engine `auto` falls back to plain upscaling, with one message that says why. An engine
    asked for by name is insisted on: the viewer does not start (UnknownEngineError, WeightsError)
    when it is not here or damaged; only a stream that another network made is upscaled plainly.
    """

    def __init__(
        self,
        engine: str,
        *,
        threads: int,
        fidelity: float = FIDELITY,
        opener: Opener = open_restorer,
    ) -> None:
        self._engine = engine
        self._fidelity = fidelity
        self._open = partial(opener, threads=threads, fidelity=fidelity)
        self._network_id: bytes | None = None
        self._restorer: Restorer | None = None
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
        if self._restorer is not None:
            self._restorer.fidelity = fidelity

    def for_network(self, network_id: bytes) -> tuple[Restorer, bool]:
        """The restorer, and whether it is another one than for the picture before."""
        if self._restorer is not None and network_id == self._network_id:
            return self._restorer, False
        restorer = self._open(self._engine, network_id)
        if network_id == NO_NETWORK or not restorer.reason:
            event(_log, "restoring", engine=restorer.name, network=network_id.hex())
        else:
            event(_log, "plain upscaling", level=logging.WARNING, reason=restorer.reason)
        self._network_id, self._restorer = network_id, restorer
        restorer.fidelity = self._fidelity  # it may have been set while this one was opened
        return restorer, True

    @cached_property
    def plain(self) -> Restorer:
        """Plain upscaling; at scale 1 the picture as it came."""
        return self._open(PLAIN, NO_NETWORK)

    def give_up(self, error: Exception) -> Restorer:
        """Plain upscaling of this stream from here on, because its network failed while running.

        Raises the error again when it is about the weights of an engine that was asked for.
        """
        assert self._restorer is not None
        if isinstance(error, WeightsError) and self._engine != AUTO:
            raise error
        reason = f"{self._restorer.name}: {' '.join(str(error).split()) or type(error).__name__}"
        event(_log, "plain upscaling", level=logging.ERROR, reason=reason)
        self._restorer = self.plain
        return self._restorer
