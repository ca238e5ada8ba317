"""The reconstruction buffer: decoded latents in order, restored in batches, the late ones dropped.

DiffVC-RT, section 5: decoding and restoration run apart, and the backlog decides how many latents
are restored in one go. Here the latency budget bounds both the backlog and the batch, and several
streams share the restorer: each has a lane.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from statistics import median_low
from typing import TypeAlias

from link.clock import Clock
from viewer.lane import Lane
from viewer.pace import Pace
from viewer.picture import Decoded

CAPACITY = 32  # pictures a lane; the budget is reached long before, unless nothing is restored
COST_SAMPLES = 5  # batches; the first of a network includes its loading
OVERLOADED_BUDGET_US = 100_000  # where pictures have to be dropped anyway, waiting gains nothing
OVERLOADED_BATCH_US = 50_000  # nor does a long batch, which the newest picture waits for
TURN_US = 100_000  # the most that a batch makes streams of another kind wait, if it can

_Kind: TypeAlias = tuple[object, ...]


class LatentBuffer:
    """Latents waiting for restoration; those of `Decoded.place` n in lane n.

    With a budget (us, counted from arrival), the oldest of a lane are dropped while they are older
    than it, or while the lane's backlog would take longer than it: a box that is ten times too slow
    shows fresh pictures rarely, not old ones. The newest of a lane is never dropped. A box that
    always falls behind has a smaller budget. Without a budget the writer waits and nothing is
    dropped.

    The restorer's time is shared out evenly (start-time fair queueing): a stream of large pictures,
    or of too many, delays itself and nobody else. Pictures of several lanes that one run of the
    network can restore come as one batch.
    """

    def __init__(
        self,
        *,
        budget_us: int | None,
        batch_max: int,
        clock: Clock,
        dropped: Callable[[int, int], None],
        lanes: int = 1,
    ) -> None:
        """`dropped` gets the lane and how many."""
        self._budget_us = budget_us
        self._batch_max = batch_max
        self._clock = clock
        self._dropped = dropped
        self._lanes = [Lane(number) for number in range(lanes)]
        self._changed = threading.Condition()
        self._closed = False
        self._costs_us: dict[_Kind, deque[float]] = {}  # to restore one picture
        self._kind: _Kind | None = None  # of the batch that was taken last
        self._served_us = 0.0  # the restorer's time that the lane whose turn it was has had

    def put(self, picture: Decoded) -> None:
        """Append a picture to its lane."""
        lane = self._lanes[picture.place]
        with self._changed:
            while self._budget_us is None and len(lane) >= CAPACITY and not self._closed:
                self._changed.wait()
            lane.put(picture, self._clock(), self._served_us)
            self._changed.notify_all()
            if len(lane) > CAPACITY:
                lane.take()
                self._dropped(lane.number, 1)

    def take(self) -> list[Decoded]:
        """The next batch, waiting for one; empty once the buffer is closed and empty.

        All pictures of a batch have the same sizes and come from the same network.
        """
        with self._changed:
            while not self._waiting() and not self._closed:
                self._changed.wait()
            if not self._waiting():
                return []
            self._forget_kinds()
            self._drop_late()
            first = min(self._waiting(), key=_turn)
            self._served_us = first.spent_us
            self._kind = kind = _kind(first.oldest)
            cost_us = self._cost_us(kind)
            limit = self._batch_limit(first, cost_us)
            batch = [first.take(cost_us)]
            while len(batch) < limit:
                alike = [lane for lane in self._waiting() if _kind(lane.oldest) == kind]
                if not alike:
                    break
                batch.append(min(alike, key=_turn).take(cost_us))
            self._changed.notify_all()
            return batch

    @property
    def pace(self) -> Pace:
        """Of pictures as in the batch taken last, once enough is known: what restoring one takes,
        of the time that all other streams leave for it."""
        with self._changed:
            return self._pace(self._kind)

    @property
    def falls_behind(self) -> bool:
        """Whether restoring takes longer than the pictures are apart, where that matters."""
        return self._budget_us is not None and self.pace.load > 1

    def measured(self, pictures: int, duration_us: float) -> None:
        """Restoring the batch taken last took so long."""
        with self._changed:
            if self._kind is not None:
                costs = self._costs_us.setdefault(self._kind, deque(maxlen=COST_SAMPLES))
                costs.append(duration_us / pictures)

    def forget_cost(self) -> None:
        """Another network restores pictures as in the batch taken last from here on."""
        with self._changed:
            if self._kind is not None:
                self._costs_us.pop(self._kind, None)

    def close(self, *, discard: bool) -> None:
        """No more pictures. What waits still comes out, unless it is to be discarded."""
        with self._changed:
            self._closed = True
            if discard:
                for lane in self._lanes:
                    lane.clear()
            self._changed.notify_all()

    def _waiting(self) -> list[Lane]:
        return [lane for lane in self._lanes if lane]

    def _drop_late(self) -> None:
        if self._budget_us is None:
            return
        now_us, waiting = self._clock(), self._waiting()
        for lane in waiting:
            kind, dropped = _kind(lane.newest), 0
            budget_us: float = self._budget_us
            if self._is_overloaded(kind):
                others = [self._cost_us(_kind(other.oldest)) for other in waiting if other != lane]
                turn_us = max(others, default=0.0)  # it could not be helped meanwhile
                budget_us = min(budget_us, OVERLOADED_BUDGET_US + turn_us)
            each_us = self._cost_us(kind) * len(waiting)  # it is served in turn
            while len(lane) > 1 and (
                now_us - lane.oldest.arrived_us > budget_us or len(lane) * each_us > budget_us
            ):
                lane.take()
                dropped += 1
            if dropped:
                self._dropped(lane.number, dropped)

    def _batch_limit(self, turn: Lane, cost_us: float) -> int:
        """As many as wait, as long as the oldest is out within the budget."""
        if self._budget_us is None:
            return self._batch_max
        now_us, kind = self._clock(), _kind(turn.oldest)
        others = (lane for lane in self._lanes if lane is not turn and lane.is_active(now_us))
        others_wait = any(_kind(lane.newest) != kind for lane in others)
        if not cost_us:
            return 1 if others_wait else self._batch_max
        left_us = self._budget_us - (now_us - turn.oldest.arrived_us)
        if self._is_overloaded(kind):
            left_us = min(left_us, OVERLOADED_BATCH_US)
        if others_wait:
            left_us = min(left_us, TURN_US)
        return max(1, min(self._batch_max, int(left_us / cost_us)))

    def _is_overloaded(self, kind: _Kind) -> bool:
        return self._pace(kind).load > 1

    def _cost_us(self, kind: _Kind) -> float:
        costs = self._costs_us.get(kind)
        return median_low(costs) if costs else 0.0

    def _pace(self, kind: _Kind | None) -> Pace:
        if kind is None:
            return Pace()
        costs, now_us = self._costs_us.get(kind, ()), self._clock()
        cost_us = self._cost_us(kind) if len(costs) == COST_SAMPLES else 0.0
        active = [lane for lane in self._lanes if lane.is_active(now_us)]
        alike = [lane for lane in active if _kind(lane.newest) == kind]
        per_us = sum(1 / lane.spacing_us for lane in alike if lane.spacing_us)
        if not per_us:
            return Pace(cost_us)
        others = sum(
            self._cost_us(_kind(lane.newest)) / lane.spacing_us
            for lane in active
            if lane not in alike and lane.spacing_us
        )
        share = max(1 - others, len(alike) / len(active))  # of the restorer's time
        return Pace(cost_us, share / per_us)

    def _forget_kinds(self) -> None:
        """Keeps the costs of what comes now; streams may change as often as they like."""
        if len(self._costs_us) > len(self._lanes):
            now = {_kind(lane.newest) for lane in self._lanes if lane.has_newest}
            self._costs_us = {k: us for k, us in self._costs_us.items() if k in now}


def _turn(lane: Lane) -> tuple[float, int]:
    """Whose turn it is: the least comes first."""
    return lane.spent_us, lane.oldest.arrived_us


def _kind(picture: Decoded) -> _Kind:
    """Pictures of one kind are restored in one go."""
    latent = picture.latent
    return (
        picture.network_id,
        latent.scale,
        latent.source_width,
        latent.source_height,
        latent.planes.y.shape,
    )
