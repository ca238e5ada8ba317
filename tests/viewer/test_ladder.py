"""When the engine changes: simulated seconds, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from viewer.ladder import PROBATION_US, Ladder, Rung
from viewer.pace import Pace

BEST, CHEAP, PLAIN = 0, 1, 2
SPACING_US = 40_000
SECOND_US = 1_000_000


def ladder(at: int, kmacs: tuple[float, float] = (30.0, 13.0)) -> Ladder:
    return Ladder([Rung("best", kmacs[0]), Rung("cheap", kmacs[1]), Rung("plain")], at)


def run(
    it: Ladder,
    seconds: float,
    load: Callable[[int], float],
    *,
    begin_s: float = 0,
    holds: Callable[[int], bool] = lambda rung: True,
) -> list[tuple[float, int]]:
    """Who was in use from when on, and who was tried in vain; `load` is a rung's."""
    told = []
    for tick in range(round(seconds * 25)):
        now_us = round((begin_s + tick / 25) * SECOND_US)
        to = it.step(Pace(load(it.at) * SPACING_US, SPACING_US), now_us)
        if to is None:
            continue
        if to > it.at or holds(to):
            it.moved(to, now_us)
        else:
            it.refused(now_us)
        told.append((now_us / SECOND_US, to))
    return told


def test_a_better_engine_is_tried_soon_and_taken_where_it_holds() -> None:
    it = ladder(CHEAP)
    assert run(it, 30, {BEST: 0.6, CHEAP: 0.3}.__getitem__) == [(1.0, BEST)]


def test_an_engine_that_is_too_slow_for_a_second_goes() -> None:
    it = ladder(BEST)
    assert run(it, 5, {BEST: 1.1, CHEAP: 0.9}.__getitem__) == [(1.0, CHEAP)]


def test_a_hiccup_changes_nothing() -> None:
    it, ticks = ladder(BEST), iter(range(10_000))
    assert run(it, 60, lambda rung: 3.0 if next(ticks) % 25 < 20 else 0.9) == []


def test_between_staying_and_going_up_there_is_room() -> None:
    for load in (0.85, 0.99):
        assert run(ladder(CHEAP), 60, lambda rung, load=load: load) == []  # type: ignore[misc]


@pytest.mark.parametrize(("load", "goes"), [(1.4, []), (1.6, [(1.0, PLAIN)])])
def test_the_cheapest_network_stays_while_two_of_three_pictures_are_shown(
    load: float, goes: list[tuple[float, int]]
) -> None:
    it = ladder(CHEAP)
    found = run(it, 9, {CHEAP: load, PLAIN: 0.01}.__getitem__)
    assert found == goes


def test_multiplications_alone_can_rule_an_engine_out() -> None:
    it = ladder(CHEAP, kmacs=(130.0, 13.0))
    assert run(it, 600, lambda rung: 0.5) == []
    assert run(it, 600, lambda rung: 0.39, begin_s=600)[0] == (601.0, BEST)


def test_vain_tries_become_rare() -> None:
    tries = run(ladder(CHEAP), 3600, lambda rung: 0.5, holds=lambda rung: False)
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(tries)]
    assert gaps[:3] == pytest.approx([10, 20, 40], abs=0.1)
    assert max(gaps) == pytest.approx(320, abs=0.1)
    assert len(tries) < 20


def test_who_falls_back_at_once_waits_longer_before_the_next_climb() -> None:
    it = ladder(CHEAP)
    changes = run(it, 300, {BEST: 1.2, CHEAP: 0.4}.__getitem__)
    climbs = [at for at, to in changes if to == BEST]
    gaps = [b - a for a, b in pairwise(climbs)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 3 * gaps[0]
    assert len(climbs) <= 6


def test_who_held_for_a_while_may_come_back_soon() -> None:
    it = ladder(CHEAP)
    run(it, 2, {BEST: 0.6, CHEAP: 0.3}.__getitem__)
    assert it.at == BEST
    held_s = 2 + 2 * PROBATION_US / SECOND_US
    run(it, held_s - 2, {BEST: 0.6}.__getitem__, begin_s=2)
    slow = run(it, 3, {BEST: 1.5, CHEAP: 0.9}.__getitem__, begin_s=held_s)
    assert slow == [(held_s + 1, CHEAP)]
    back = run(it, 30, {BEST: 0.6, CHEAP: 0.3}.__getitem__, begin_s=held_s + 3)
    assert back[0] == (held_s + 13, BEST)


def test_without_a_pace_nothing_happens() -> None:
    it = ladder(BEST)
    assert [it.step(Pace(), now) for now in range(0, 10**8, 10**6)] == [None] * 100


@pytest.mark.parametrize(("gone", "left"), [(BEST, "cheap"), (CHEAP, "cheap")])
def test_an_engine_that_does_not_work_leaves_the_ladder(gone: int, left: str) -> None:
    it = ladder(gone)
    it.without(gone)
    assert it.now.name == ("plain" if gone == CHEAP else left)
    it = ladder(CHEAP)
    it.without(BEST)
    assert it.now.name == "cheap"
