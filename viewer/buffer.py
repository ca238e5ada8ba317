"""The reconstruction buffer: decoded latents in order, restored in batches, the late ones dropped.

DiffVC-RT, section 5: decoding and restoration run apart, and the backlog decides how many latents
are restored in one go. Here the latency budget bounds both the backlog and the batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from statistics import median_low

from viewer.clock import Clock
from viewer.pace import Pace
from viewer.picture import Decoded

CAPACITY = 32  # pictures; the budget is reached long before, unless nothing is being restored
COST_SAMPLES = 5  # batches; the first of a network includes its loading
SPACING_SAMPLES = 25  # pictures
OVERLOADED_BUDGET_US = 100_000  # where pictures have to be dropped anyway, waiting gains nothing


class LatentBuffer:
    """Latents waiting for restoration.

    With a budget (us, counted from arrival), the oldest are dropped while they are older than it,
    or while the backlog would take longer than it: a box that is ten times too slow shows fresh
    pictures rarely, not old ones. The newest is never dropped. A box that always falls behind
    has a smaller budget. Without a budget the writer waits and nothing is dropped.
    """

    def __init__(
        self,
        *,
        budget_us: int | None,
        batch_max: int,
        clock: Clock,
        dropped: Callable[[int], None],
    ) -> None:
        self._budget_us = budget_us
        self._batch_max = batch_max
        self._clock = clock
        self._dropped = dropped
        self._waiting: deque[Decoded] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._costs_us: deque[float] = deque(maxlen=COST_SAMPLES)
        self._cost_us = 0.0  # to restore one picture
        self._spacing_us: deque[int] = deque(maxlen=SPACING_SAMPLES)  # of capture times
        self._last_captured_us: int | None = None

    def put(self, picture: Decoded) -> None:
        """Append a picture."""
        with self._changed:
            while self._budget_us is None and len(self._waiting) >= CAPACITY and not self._closed:
                self._changed.wait()
            self._waiting.append(picture)
            self._note_spacing(picture.latent.captured_us)
            self._changed.notify_all()
            if len(self._waiting) > CAPACITY:
                self._waiting.popleft()
                self._dropped(1)

    def take(self) -> list[Decoded]:
        """The next batch, waiting for one; empty once the buffer is closed and empty.

        All pictures of a batch have the same sizes and come from the same network.
        """
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return []
            self._drop_late()
            batch = [self._waiting.popleft()]
            limit = self._batch_limit(batch[0])
            while len(batch) < limit and self._waiting and _alike(batch[0], self._waiting[0]):
                batch.append(self._waiting.popleft())
            self._changed.notify_all()
            return batch

    @property
    def pace(self) -> Pace:
        """Of the last pictures, once there are enough of them."""
        with self._changed:
            return Pace(
                self._cost_us if len(self._costs_us) == COST_SAMPLES else 0.0,
                median_low(self._spacing_us) if len(self._spacing_us) > COST_SAMPLES else 0.0,
            )

    @property
    def falls_behind(self) -> bool:
        """Whether restoring takes longer than the pictures are apart, where that matters."""
        return self._budget_us is not None and self.pace.load > 1

    def measured(self, pictures: int, duration_us: float) -> None:
        """Restoring that many pictures took so long."""
        with self._changed:
            self._costs_us.append(duration_us / pictures)
            self._cost_us = median_low(self._costs_us)

    def forget_cost(self) -> None:
        """Another network restores from here on."""
        with self._changed:
            self._costs_us.clear()
            self._cost_us = 0.0

    def close(self, *, discard: bool) -> None:
        """No more pictures. What waits still comes out, unless it is to be discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._waiting.clear()
            self._changed.notify_all()

    def _note_spacing(self, captured_us: int) -> None:
        if self._last_captured_us is not None and captured_us > self._last_captured_us:
            self._spacing_us.append(captured_us - self._last_captured_us)
        self._last_captured_us = captured_us

    def _drop_late(self) -> None:
        budget_us = self._budget_us
        if budget_us is None:
            return
        if self.falls_behind:
            budget_us = min(budget_us, OVERLOADED_BUDGET_US)
        now_us, before = self._clock(), len(self._waiting)
        while len(self._waiting) > 1 and (
            now_us - self._waiting[0].arrived_us > budget_us
            or len(self._waiting) * self._cost_us > budget_us
        ):
            self._waiting.popleft()
        if before > len(self._waiting):
            self._dropped(before - len(self._waiting))

    def _batch_limit(self, oldest: Decoded) -> int:
        """As many as wait, as long as the oldest is out within the budget."""
        if self._budget_us is None or not self._cost_us:
            return self._batch_max
        left_us = self._budget_us - (self._clock() - oldest.arrived_us)
        return max(1, min(self._batch_max, int(left_us / self._cost_us)))


def _alike(a: Decoded, b: Decoded) -> bool:
    return _kind(a) == _kind(b)


def _kind(picture: Decoded) -> tuple[object, ...]:
    latent = picture.latent
    return (
        picture.network_id,
        latent.scale,
        latent.source_width,
        latent.source_height,
        latent.planes.y.shape,
    )
