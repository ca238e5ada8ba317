"""An event loop for targets with tasks, and the errors that tasks and servers only log."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from daemon.malformed_http import is_of_the_peer

T = TypeVar("T")
_LOGGERS = ("aiohttp", "asyncio", "link", "viewer", "daemon")


@contextmanager
def quiet(*handlers: logging.Handler) -> Iterator[None]:
    """What the product logs goes to `handlers` alone."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [*handlers] or [logging.NullHandler()], False
    try:
        yield
    finally:
        for logger, propagate, old in before:
            logger.handlers, logger.propagate = old, propagate


class Logged(Exception):  # noqa: N818 - not a declared error: nobody catches it
    """An exception was caught far up and logged with its traceback: to the user, a bug."""


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Loop:
    """Runs one coroutine after the other, and raises what they logged."""

    def __init__(self, loop: asyncio.AbstractEventLoop, errors: _Errors) -> None:
        self._loop = loop
        self._errors = errors

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises what `work` raises; the first error that was logged meanwhile, as it is."""
        self._errors.records.clear()
        result = self._loop.run_until_complete(work)
        for record in self._errors.records:
            error = record.exc_info[1] if record.exc_info else None
            if error is None:
                raise Logged(record.getMessage())
            if not is_of_the_peer(error):  # else aiohttp's own refusal, status 400
                raise error
        return result


@contextmanager
def event_loop() -> Iterator[Loop]:
    """A loop of its own; what is left running on it at the end is cancelled."""
    errors = _Errors()
    loop = asyncio.new_event_loop()
    with quiet(errors):
        try:
            yield Loop(loop, errors)
        finally:
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def turns(count: int) -> None:
    """Lets the other tasks of the loop run a few times."""
    for _ in range(count):
        await asyncio.sleep(0)
