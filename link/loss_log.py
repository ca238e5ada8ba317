"""Which packets were lost lately, without the outages: in those everything is lost, and neither
a lower rate nor repair packets help against it. Losses in bursts tell little: a few of them make
a second look much worse than the path is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import sqrt
from typing import NamedTuple

from link.sent_log import Fate

OUTAGE_US = 250_000  # from the last packet that came to the next
OUTAGE_PACKETS = 3  # where packets are few


class Outcome(NamedTuple):
    """Of one packet, as far as feedback told."""

    sent_us: int
    size_bytes: int
    is_lost: bool


class Loss(NamedTuple):
    """Share of the bytes lost, and the same less one standard error: so much is lost at least,
    whenever the bursts happened to come."""

    share: float
    surely: float


NO_LOSS = Loss(0.0, 0.0)


def loss_of(outcomes: Iterable[Outcome]) -> Loss:
    """In order of sending, one at least. In bytes: what a policer drops is often the small last
    packet of a picture. Each run of losses counts as one event (compound Poisson: the variance of
    the sum is the sum of the squares)."""
    total, runs = 0, []
    for is_lost, run in groupby(outcomes, lambda outcome: outcome.is_lost):
        size_bytes = sum(outcome.size_bytes for outcome in run)
        total += size_bytes
        if is_lost:
            runs.append(size_bytes)
    share = sum(runs) / total
    return Loss(share, max(0.0, share - sqrt(sum(size**2 for size in runs)) / total))


class LossLog:
    """Of the last `window_us`, or of the last `packets` where that is longer."""

    def __init__(self, window_us: int, packets: int = 0) -> None:
        self._window_us = window_us
        self._packets = packets
        self._outcomes: deque[Outcome] = deque()

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, fates: Sequence[Fate]) -> None:
        """Feedback came, in order of sending."""
        for fate in fates:
            sent = fate.packet
            if fate.was_lost:
                self._take_back(Outcome(sent.sent_us, sent.size_bytes, is_lost=True))
                continue
            is_lost = fate.arrived_us is None
            self._outcomes.append(Outcome(sent.sent_us, sent.size_bytes, is_lost))
            while sent.sent_us - self._outcomes[0].sent_us > self._window_us and (
                len(self._outcomes) > self._packets
            ):
                self._forget_oldest()

    def counted(self) -> list[Outcome]:
        """All but those of outages, in order of sending."""
        counted: list[Outcome] = []
        run: list[Outcome] = []  # of losses
        came_us: int | None = None  # the last that came
        for outcome in self._outcomes:
            if outcome.is_lost:
                run.append(outcome)
                continue
            is_short = came_us is not None and outcome.sent_us - came_us < OUTAGE_US
            if is_short or len(run) < OUTAGE_PACKETS:
                counted += run
            run.clear()
            came_us = outcome.sent_us
            counted.append(outcome)
        return counted

    def _take_back(self, told: Outcome) -> None:
        """It was not lost after all."""
        for index in range(len(self._outcomes) - 1, -1, -1):
            if self._outcomes[index] == told:
                self._outcomes[index] = told._replace(is_lost=False)
                return

    def _forget_oldest(self) -> None:
        """With the losses behind it: the rest of an outage would look like loss."""
        self._outcomes.popleft()
        while len(self._outcomes) > 1 and self._outcomes[0].is_lost:
            self._outcomes.popleft()
