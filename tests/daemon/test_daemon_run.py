import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from daemon import memory
from daemon.errors import RunError, UsageError
from daemon.run import run
from engines.errors import UnknownEngineError, WeightsError


@pytest.fixture(autouse=True)
def _a_terminal() -> Iterator[None]:
    """Also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such camera"), 2),
        (RunError("disk gone"), 1),
        (UnknownEngineError("unknown engine"), 2),
        (WeightsError("weights damaged"), 1),
    ],
)
def test_an_error_becomes_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main(stop: asyncio.Event) -> None:
        raise error

    assert run(main, name="denc-stream") == code
    printed = capsys.readouterr()
    assert str(error) in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_main_end_in_its_own_time(number: signal.Signals) -> None:
    steps = []

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        await stop.wait()
        await asyncio.sleep(0.01)
        steps.append("closed the file")

    assert run(main) == 0
    assert steps == ["closed the file"]


def test_under_nohup_a_terminal_that_goes_ends_nothing() -> None:
    seen = []

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        seen.append(stop.is_set())

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(main) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [False]


def test_a_terminal_that_says_so_twice_is_gone_once() -> None:
    steps = []

    async def main(stop: asyncio.Event) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.01)
        await stop.wait()
        steps.append("closed the file")

    assert run(main) == 0
    assert steps == ["closed the file"]


def test_the_second_signal_ends_at_once() -> None:
    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    assert run(main) == 1


def test_a_bug_is_not_hidden() -> None:
    async def main(stop: asyncio.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_memory_is_tidied_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = []

    async def main(stop: asyncio.Event) -> None:
        await asyncio.wait_for(stop.wait(), 10)

    def tidy() -> int:
        times.append(1)
        if len(times) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setattr(memory, "TIDY_INTERVAL_S", 0.01)
    monkeypatch.setattr(memory, "tidy", tidy)
    assert run(main) == 0
    assert len(times) >= 3
