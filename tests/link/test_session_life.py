"""One end, one reason, one clean-up."""

import asyncio
import logging

import pytest

from link.session_life import SessionLife


class Log:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def __call__(self, reason: str) -> None:
        self.reasons.append(reason)


async def test_the_first_reason_counts_and_clean_up_runs_once() -> None:
    log = Log()
    life = SessionLife(log)
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    life.spawn(work())
    await asyncio.sleep(0)
    life.end("first")
    life.end("second")
    assert await asyncio.gather(life.wait(), life.wait()) == ["first", "first"]
    assert cancelled.is_set()
    assert log.reasons == ["first"]


async def test_a_failing_task_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    life = SessionLife(log)

    async def work() -> None:
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        life.spawn(work())
        assert "a bug" in await asyncio.wait_for(life.wait(), 1)
    assert log.reasons


async def test_a_failing_clean_up_is_logged_and_the_session_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def clean_up(reason: str) -> None:
        raise RuntimeError("a bug")

    life = SessionLife(clean_up)
    life.end("over")
    assert await asyncio.wait_for(life.wait(), 1) == "over"
    assert "a bug" in caplog.text


async def test_nothing_starts_after_the_end() -> None:
    life = SessionLife(Log())
    life.end("over")

    async def work() -> None:
        raise AssertionError("must not run")

    life.spawn(work())
    await life.wait()
