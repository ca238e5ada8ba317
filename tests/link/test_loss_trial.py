"""Loss that less rate takes away, and loss that it does not."""

from collections.abc import Callable

from link.loss_log import Loss
from link.loss_trial import LossTrial

TICK_US = 50_000


class Path:
    """What is lost at a target, told after each tick."""

    def __init__(self, loss_at: Callable[[float], float], target: float = 1e6) -> None:
        self.trial, self.loss_at, self.target, self.now_us = LossTrial(), loss_at, target, 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e6 / TICK_US)):
            self.now_us += TICK_US
            loss = self.loss_at(self.target)
            target = self.trial.target(Loss(loss, loss), self.target, self.now_us)
            self.target = self.target if target is None else target


def test_a_radio_link_keeps_its_rate() -> None:
    for loss in (0.05, 0.2, 0.35, 0.6):
        path = Path(lambda _, loss=loss: loss)
        path.run(2)
        assert path.target == 1e6


def test_a_policer_gets_what_it_lets_through() -> None:
    for rate in (0.2e6, 0.5e6, 0.8e6):
        path = Path(lambda target, rate=rate: max(0.0, 1 - rate / target))
        path.run(8)
        assert 0.7 * rate < path.target < 1.15 * rate


def test_loss_that_had_only_begun_is_not_taken_for_the_paths_own() -> None:
    path = Path(lambda target: max(0.0, 1 - 0.5e6 / target) * min(1.0, path.now_us / 1e6))
    path.run(8)
    assert path.target < 0.6e6


def test_no_probes_while_it_is_being_tried_out() -> None:
    path = Path(lambda _: 0.2)
    path.run(0.5)
    assert path.trial.is_held(path.now_us)
    path.run(2)
    assert not path.trial.is_held(path.now_us)


def test_a_bucket_found_twice_is_left_alone_for_longer_and_longer() -> None:
    path = Path(lambda target: max(0.0, 1 - 0.5e6 / target), target=0.4e6)
    held_s = []
    for _ in range(4):
        path.trial.on_probed(path.now_us)
        path.target = 2e6
        path.run(6)
        since_us = path.now_us
        while path.trial.is_held(path.now_us):
            path.run(1)
        held_s.append((path.now_us - since_us) / 1e6)
    assert held_s[0] == 0  # once it may have been a burst of loss
    assert 3 < held_s[1] < held_s[2] < held_s[3] <= 60
