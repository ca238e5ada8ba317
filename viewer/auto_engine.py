"""The engine `auto`: the best installed network that holds the frame rate on this device.

It begins with what an earlier run measured (`SpeedBook`), or with the cheapest network. While that
one restores, its own pictures tell how fast this device is; a better one is tried in the background
where its multiplications leave hope, and taken when it holds with headroom. An engine that turns
out too slow, or a device that slows down, goes a step down; plain upscaling is the last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from daemon.log import event
from engines.codec import PLAIN, Partner, Restorer
from engines.errors import EngineError
from engines.latent import Latent
from link.clock import Clock
from viewer.ladder import HEADROOM, HOPELESS, LAST_RESORT, TOO_SLOW, Ladder, Rung
from viewer.pace import Pace
from viewer.probe import Outcome, Probe, probe
from viewer.speed_book import SpeedBook, speed_key

BUSY = 1.5  # how much longer a network takes while another one restores beside it, at the most
SPACING_US = 40_000.0  # where the stream does not tell its frame rate

_log = logging.getLogger(__name__)


class AutoEngine:
    """For the streams of one encoder network, of one size; for the restoring thread alone.

    `partners`, the best first, are the networks here; `load` opens an engine by name. `reason` says
    why the engine in use was taken.
    """

    def __init__(
        self,
        partners: Sequence[Partner],
        latent: Latent,
        *,
        load: Callable[[str], Restorer],
        book: SpeedBook,
        runtime: str,
        threads: int,
        clock: Clock,
    ) -> None:
        assert partners
        self.reason = ""
        self._partners, self._runtime, self._threads = tuple(partners), runtime, threads
        self._load, self._book, self._clock = load, book, clock
        rungs = [*(Rung(p.name, p.kmacs_per_pixel) for p in partners), Rung(PLAIN)]
        self._ladder = Ladder(rungs, len(partners) - 1)
        self._keys: dict[str, str] = {}
        self.rescale(latent)
        self._loaded: dict[str, Restorer] = {}
        self._probe: Probe | None = None
        self._target = 0
        self._is_told = False

    def rescale(self, latent: Latent) -> None:
        """The same source comes at this scale from here on: what holds at one holds at another."""
        self._keys = {
            p.name: speed_key(self._runtime, p, latent, self._threads) for p in self._partners
        }
        self._ladder.last_resort = TOO_SLOW if latent.scale == 1 else LAST_RESORT

    def begin(self, spacing_us: float) -> Restorer:
        """The engine for the first picture, without measuring anything."""
        spacing_us = spacing_us or SPACING_US
        known = [self._known_us(rung.name) for rung in self._ladder.rungs[:-1]]
        good = [i for i, us in enumerate(known) if us is not None and us <= HEADROOM * spacing_us]
        cheapest = len(known) - 1
        at, cost_us = cheapest, known[cheapest]
        if good:
            at, cost_us = good[0], known[good[0]]
        elif cost_us is not None and cost_us > self._ladder.last_resort * spacing_us:
            at = cheapest + 1
        self._ladder.at = at
        if cost_us is None:
            self.reason = "the cheapest network here, until it is measured"
        else:
            self._explain(Pace(cost_us, spacing_us), cheapest if at > cheapest else at)
        return self._in_use()

    def settle(self, latent: Latent, spacing_us: float) -> Restorer:
        """The engine for a whole file: measured here and now, the cheapest network at the least."""
        spacing_us = spacing_us or SPACING_US
        ladder, chosen = self._ladder, self._ladder.at
        pace = Pace(0.0, spacing_us)
        for rung in range(len(ladder.rungs) - 2, -1, -1):
            name = ladder.rungs[rung].name
            if pace.is_known and ladder.predicted_us(rung, pace) > HOPELESS * spacing_us:
                break
            if (cost_us := self._known_us(name)) is None:
                outcome = probe(lambda name=name: self._open(name), latent, spacing_us)  # type: ignore[misc]
                if outcome.restorer is None:
                    continue
                cost_us = outcome.cost_us
                self._book.put(self._keys[name], cost_us)
            if pace.is_known and cost_us > HEADROOM * spacing_us:
                break
            chosen = ladder.at = rung
            pace = Pace(cost_us, spacing_us)
        if pace.is_known:
            self._explain(pace, chosen)
        return self._in_use()

    def next(self, latent: Latent, pace: Pace) -> Restorer | None:
        """Another engine from this picture on, or None; never waits."""
        if self._probe is not None:
            outcome = self._probe.outcome
            if outcome is None:
                return None
            self._probe = None
            return self._judged(outcome, pace)
        if pace.is_known and not self._is_told:
            self._tell(pace)
        target = self._ladder.step(pace, self._clock())
        if target is None:
            return None
        name = self._ladder.rungs[target].name
        if target > self._ladder.at and (name == PLAIN or name in self._loaded):
            return self._move(target, pace, self._ladder.at)
        self._target = target
        self._probe = Probe(lambda: self._open(name), latent, pace.spacing_us)
        return None

    def gave_up(self) -> Restorer:
        """The engine in use does not work: the one below, from here on."""
        self._loaded.pop(self._ladder.now.name, None)
        self._ladder.without(self._ladder.at)
        self.reason = "the better network failed"
        return self._in_use()

    def close(self) -> None:
        """Nothing more is tried; what is under way in the background ends by itself."""
        self._probe = None

    def _judged(self, outcome: Outcome, pace: Pace) -> Restorer | None:
        ladder, target = self._ladder, self._target
        rung = ladder.rungs[target]
        if outcome.restorer is None:
            event(_log, f"{rung.name} cannot be used", level=logging.ERROR, reason=outcome.error)
            ladder.without(target)
            return None
        goes_up = target < ladder.at
        is_alone = ladder.now.name == PLAIN
        allowed_us = HEADROOM * pace.spacing_us * (1 if is_alone else BUSY)
        if is_alone or goes_up:
            self._book.put(self._keys[rung.name], outcome.cost_us)
        if goes_up and outcome.cost_us > allowed_us:
            ladder.refused(self._clock())
            self._explain(pace, ladder.at)
            event(
                _log,
                f"{rung.name} would be too slow here",
                level=logging.DEBUG,
                takes_ms=round(outcome.cost_us / 1e3),
                of_ms=round(pace.spacing_us / 1e3),
            )
            return None
        spent = Pace(outcome.cost_us, pace.spacing_us) if goes_up else pace
        return self._move(target, spent, target if goes_up else ladder.at)

    def _move(self, target: int, pace: Pace, about: int) -> Restorer:
        self._explain(pace, about)
        if target > self._ladder.at:
            self._book.put(self._keys[self._ladder.now.name], pace.cost_us)
        self._ladder.moved(target, self._clock())
        self._is_told = False
        rung = self._ladder.now
        level = logging.WARNING if rung.name == PLAIN else logging.INFO
        event(_log, "another engine", level=level, engine=rung.name, reason=self.reason)
        return self._in_use()

    def _tell(self, pace: Pace) -> None:
        """One line when the engine in use has been measured on the pictures themselves."""
        self._is_told = True
        rung = self._ladder.now
        if rung.name == PLAIN:
            return
        self._book.put(self._keys[rung.name], pace.cost_us)
        self._explain(pace, self._ladder.at)
        event(_log, "engine", engine=rung.name, reason=self.reason)

    def _explain(self, pace: Pace, about: int) -> None:
        """`reason` from what the rung `about` takes."""
        rung = self._ladder.rungs[about]
        takes, of = f"{pace.cost_us / 1e3:.0f}", f"{pace.spacing_us / 1e3:.0f}"
        self.reason = f"{rung.name} takes {takes} ms a picture here, the stream leaves {of}"
        if about > 0 and about == self._ladder.at:
            better = self._ladder.rungs[about - 1].name
            predicted_ms = self._known_us(better) or self._ladder.predicted_us(about - 1, pace)
            if predicted_ms:
                self.reason += f"; {better} would take about {predicted_ms / 1e3:.0f}"

    def _known_us(self, name: str) -> float | None:
        return self._book.get(self._keys[name])

    def _in_use(self) -> Restorer:
        """The engine of the rung in use, or of the next one below that can be loaded."""
        try:
            return self._open(self._ladder.now.name)
        except EngineError as error:  # never of plain upscaling, the last one
            self.reason = str(error)
            self._ladder.without(self._ladder.at)
        return self._in_use()

    def _open(self, name: str) -> Restorer:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]
