"""Which restorer serves which stream."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from link.clock import Clock, monotonic_us
from link.side_info import NO_NETWORK
from viewer.auto_engine import AutoEngine
from viewer.pace import Pace
from viewer.picture import Decoded
from viewer.speed_book import SpeedBook

SOME_NETWORK = b"\xff" * len(NO_NETWORK)
Opener: TypeAlias = Callable[..., Restorer]
Finder: TypeAlias = Callable[[bytes], Sequence[Partner]]

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Choice:
    """What restores the streams of one encoder network and one size."""

    restorer: Restorer
    reason: str  # why this engine
    auto: AutoEngine | None
    scale: int  # of the last picture
    scales: set[int]  # of the pictures that this restorer has had


class Restorers:
    """Opens the restorer of a stream's encoder network and keeps it until others are needed: those
    of the last `streams` networks and sizes. Weights are loaded once, however many streams they
    serve.

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
        streams: int = 1,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._fidelity = fidelity
        self._opener = partial(opener, threads=threads, fidelity=fidelity)
        self._loaded: dict[tuple[str, bytes], Restorer] = {}
        self._partners, self._book, self._clock = partners, book or SpeedBook(), clock
        self._waits = waits
        self._streams = streams
        self._choices: OrderedDict[tuple[bytes, int, int], _Choice] = OrderedDict()  # newest last
        self._choice: _Choice | None = None  # of the last picture
        if engine != AUTO:
            for network_id in installed_network_ids() or (SOME_NETWORK,):
                self._opener(engine, network_id)

    @property
    def fidelity(self) -> float:
        """From 0, closest to the source, to 1, best looking."""
        return self._fidelity

    def set_fidelity(self, fidelity: float) -> None:
        """Holds from the next picture on; callable from any thread."""
        self._fidelity = fidelity

    @property
    def reason(self) -> str:
        """Why the last picture's engine."""
        return "" if self._choice is None else self._choice.reason

    @property
    def adapts(self) -> bool:
        """Whether an engine that is too slow for pictures such as the last is replaced here."""
        return self._choice is not None and self._choice.auto is not None

    def for_picture(self, picture: Decoded, pace: Pace) -> tuple[Restorer, bool]:
        """The restorer, and whether it is another one than for the picture before of its size and
        scale: `pace`, which is of such pictures, would be the other one's."""
        latent = picture.latent
        key = picture.network_id, latent.source_width, latent.source_height
        choice = self._choices.get(key)
        is_new = choice is None
        if choice is None:
            self._make_room()
            choice = self._choices[key] = self._begin(picture)
        elif choice.auto is not None:
            is_new = self._follow(choice, choice.auto, picture, pace)
        self._choices.move_to_end(key)
        self._choice = choice
        choice.restorer.fidelity = self._fidelity
        return choice.restorer, is_new

    @cached_property
    def plain(self) -> Restorer:
        """Plain upscaling; at scale 1 the picture as it came."""
        return self._open(PLAIN, NO_NETWORK)

    def give_up(self, error: Exception) -> Restorer:
        """Another engine for pictures such as the last, because its network failed while running.

        Raises the error again when it is about the weights of an engine that was asked for.
        """
        choice = self._choice
        assert choice is not None
        if isinstance(error, WeightsError) and self._engine != AUTO:
            raise error
        why = " ".join(str(error).split()) or type(error).__name__
        choice.reason = f"{choice.restorer.name}: {why}"
        choice.restorer = self.plain if choice.auto is None else choice.auto.gave_up()
        choice.scales = {choice.scale}
        what = "plain upscaling" if choice.restorer.name == PLAIN else "another engine"
        event(_log, what, level=logging.ERROR, engine=choice.restorer.name, reason=choice.reason)
        return choice.restorer

    def _follow(self, choice: _Choice, auto: AutoEngine, picture: Decoded, pace: Pace) -> bool:
        """Whether another engine than before restores pictures such as this from here on."""
        scale = picture.latent.scale
        if scale != choice.scale:
            choice.scale = scale
            auto.rescale(picture.latent)
        if self._waits:
            return False
        if scale not in choice.scales:
            choice.scales.add(scale)
            return True
        other = auto.next(picture.latent, pace)
        choice.reason = auto.reason
        if other is not None:
            choice.restorer, choice.scales = other, {scale}
        return other is not None

    def _begin(self, picture: Decoded) -> _Choice:
        network_id = picture.network_id
        auto = self._auto_engine(picture)
        if auto is None:
            restorer = self._open(self._engine, network_id)
            reason = restorer.reason or "as asked for"
            is_meant = network_id == NO_NETWORK or not restorer.reason
        else:
            spacing_us = 1e6 / picture.fps if picture.fps else 0.0
            if self._waits:
                restorer = auto.settle(picture.latent, spacing_us)
            else:
                restorer = auto.begin(spacing_us)
            reason, is_meant = auto.reason, restorer.name != PLAIN
        if is_meant:
            event(
                _log,
                "restoring",
                engine=restorer.name,
                network=network_id.hex(),
                reason=reason,
            )
        else:
            event(_log, "plain upscaling", level=logging.WARNING, reason=reason)
        scale = picture.latent.scale
        return _Choice(restorer, reason, auto, scale, {scale})

    def _make_room(self) -> None:
        """Lets go of what no stream used for longest, and of weights that nobody needs then."""
        while len(self._choices) >= self._streams:
            _, choice = self._choices.popitem(last=False)
            if choice.auto is not None:
                choice.auto.close()
        needed = {network_id for network_id, _, _ in self._choices}
        self._loaded = {key: r for key, r in self._loaded.items() if key[1] in needed}

    def _open(self, engine: str, network_id: bytes) -> Restorer:
        key = engine, network_id
        if key not in self._loaded:
            self._loaded[key] = self._opener(engine, network_id)
        return self._loaded[key]

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
