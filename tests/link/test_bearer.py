"""Bearer tokens: right ones at once, wrong ones slowly, many wrong ones not at all."""

import asyncio
import random
import time

import pytest

from link.bearer import (
    FAILURE_DELAY_MAX_S,
    MAX_DELAYED,
    MAX_DELAYED_EACH,
    BearerCheck,
    TooManyGuesses,
    bearer_of,
)


class Delay(random.Random):
    """Draws the same delay each time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(0)
        self.seconds = seconds
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append((a, b))
        return self.seconds


async def test_the_right_token_is_accepted_at_once_and_a_missing_one_is_no_guess() -> None:
    check, begin = BearerCheck("secret", Delay(5)), time.monotonic()
    assert await check.accepts("secret", "a")
    assert not await check.accepts(None, "a")
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("given", ["", "Secret", "secret ", "secretx", "\udcff", "é"])
async def test_a_wrong_token_is_told_so_after_a_while(given: str) -> None:
    delay = Delay(0.05)
    begin = time.monotonic()
    assert not await BearerCheck("secret", delay).accepts(given, "a")
    assert time.monotonic() - begin >= 0.04
    assert delay.asked == [(0, FAILURE_DELAY_MAX_S)]


async def test_one_that_guesses_waits_alone_and_is_not_looked_at_beyond_its_share() -> None:
    check = BearerCheck("secret", Delay(0.3))
    guesses = [asyncio.ensure_future(check.accepts("x", "a")) for _ in range(MAX_DELAYED_EACH)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyGuesses):
        await check.accepts("secret", "a")
    assert await check.accepts("secret", "b")
    assert not any(await asyncio.gather(*guesses))
    assert await check.accepts("secret", "a")


async def test_no_more_than_a_few_are_ever_held_back() -> None:
    check = BearerCheck("secret", Delay(0.3))
    results = await asyncio.gather(
        *(check.accepts("x", str(number)) for number in range(100)), return_exceptions=True
    )
    assert results.count(False) == MAX_DELAYED
    assert sum(isinstance(result, TooManyGuesses) for result in results) == 100 - MAX_DELAYED


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic abc", None),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
    ],
)
def test_the_header_gives_the_token(header: str | None, token: str | None) -> None:
    assert bearer_of(header) == token
