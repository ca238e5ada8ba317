"""From `main` to exit code: event loop, signals, and errors as one line on stderr."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine

from daemon.errors import DaemonError
from daemon.log import fail
from daemon.memory import keep_tidy
from engines.errors import EngineError, UnknownEngineError

try:
    from uvloop import run as _run_loop
except ImportError:  # no uvloop on Windows
    from asyncio import run as _run_loop  # type: ignore[assignment]

EXIT_FINE = 0
EXIT_RUN_TIME = 1
EXIT_USAGE = 2


def run(
    main: Callable[[asyncio.Event], Coroutine[object, object, None]], *, name: str = "denc"
) -> int:
    """Run `main(stop)` and return the exit code: 0 fine, 2 usage, 1 run time.

    The first SIGINT or SIGTERM sets `stop`, and `main` ends in its own time; the second cancels
    it. SIGHUP (the terminal is gone) sets `stop` unless it is ignored, as under `nohup`. `name` is
    the command that error lines start with.
    """
    try:
        _run_loop(_with_signals(main))
    except DaemonError as error:
        fail(name, str(error))
        return error.exit_code
    except EngineError as error:
        fail(name, str(error))
        return EXIT_USAGE if isinstance(error, UnknownEngineError) else EXIT_RUN_TIME
    except (asyncio.CancelledError, KeyboardInterrupt):
        fail(name, "ended at once, on the second signal")
        return EXIT_RUN_TIME
    return EXIT_FINE


async def _with_signals(main: Callable[[asyncio.Event], Coroutine[object, object, None]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))

    def on_signal() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a terminal that goes may send two
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    tidying = asyncio.ensure_future(keep_tidy())
    try:
        await task
    finally:
        tidying.cancel()
