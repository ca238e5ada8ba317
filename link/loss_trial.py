"""Is what is lost of our making? Tried out: a radio link loses packets at any rate, a full queue or
a policer only as many as are too many.

Losses in bursts look like too much for a moment, so that only what is surely lost begins a trial.
A policer lets a bucket full through before it counts. Where probes find room that goes away again,
there are none for a while.
"""

from __future__ import annotations

from link.loss_log import Loss

LOSS_MAX = 0.07  # surely, above what is lost at any rate
BACKOFF = 0.8
MUCH_LOSS = 0.3
WAIT_US = 1_500_000
BEGUN_US = 400_000
BEGUN, BEGUN_LOSS = 1.4, 0.02
SAME = 0.85
OURS = 0.7  # of the loss must have stayed for it not to be of our making
HOLD_US = (10_000_000, 60_000_000)  # without probes
BUCKET_US = 6_000_000  # a bucket lasts for so long


class LossTrial:
    """Told of the share lost and of probes, gives targets in bit/s. Times must not fall."""

    def __init__(self) -> None:
        self._trial: tuple[int, float, float] | None = None  # when, target and loss before
        self._floor = 0.0  # lost at any rate
        self._hold_us = 0
        self._emptied_us: int | None = None
        self._probed_us: int | None = None

    @property
    def emptied_us(self) -> int | None:
        """When less rate last took away the loss that a probe had brought."""
        return self._emptied_us

    def is_held(self, now_us: int) -> bool:
        """No probes now: they would spoil the trial, or only find a bucket."""
        emptied_us = self._emptied_us
        is_empty = emptied_us is not None and now_us < emptied_us + self._hold_us
        return is_empty or self._trial is not None

    def on_probed(self, now_us: int) -> None:
        """A probe made the target grow."""
        self._probed_us = now_us

    def target(self, measured: Loss, target: float, now_us: int) -> float | None:
        """What to go to, or to stay at, of `target`; None: loss says nothing against more."""
        loss = measured.share
        if self._trial is not None:
            when_us, before_target, before_loss = self._trial
            waited_us = now_us - when_us
            has_begun = loss > BEGUN * before_loss + BEGUN_LOSS  # only just, when it was seen
            if waited_us < (BEGUN_US if has_begun else WAIT_US):
                return target
            if has_begun or MUCH_LOSS < loss < SAME * before_loss:  # a part of it is gone
                self._trial = now_us, before_target, max(loss, before_loss)
                return _less(target, loss)
            self._trial = None
            if loss >= OURS * before_loss:  # less rate did not help: it is the path's own
                self._floor = loss
                return before_target
            if before_loss > MUCH_LOSS:
                self._end_of_bucket(when_us, now_us)
        self._floor = min(self._floor, max(loss, self._floor * 0.98))
        if measured.surely <= self._floor + LOSS_MAX:
            return None
        self._trial = now_us, target, loss
        return _less(target, loss)

    def _end_of_bucket(self, trial_us: int, now_us: int) -> None:
        """Less rate took much loss away. Soon after a probe this may have been a burst of it, once;
        where it comes back there is a policer: longer each time."""
        if self._probed_us is None or trial_us - self._probed_us >= BUCKET_US:
            return
        last_us = self._emptied_us
        again = last_us is not None and now_us < last_us + self._hold_us + HOLD_US[0]
        self._hold_us = min(max(2 * self._hold_us, HOLD_US[0]), HOLD_US[1]) if again else 0
        self._emptied_us = now_us


def _less(target: float, loss: float) -> float:
    """Of much loss a small step takes too little away to tell, so to what arrives: a policer lets
    all of that through, a lossy radio link as small a share as before."""
    return (BACKOFF if loss < MUCH_LOSS else 1 - loss) * target
