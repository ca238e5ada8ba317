"""Requests that are no HTTP: one line a second at most, where aiohttp logs a traceback for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOGGER = "aiohttp.server"
QUIET_S = 1.0
WHY_MAX_CHARS = 120
# known by their names: a daemon's --help does not import aiohttp
_PARSER_ERRORS = "aiohttp.http_exceptions"
_BODY_ERROR = ("aiohttp.web_protocol", "RequestPayloadError")


class MalformedHttp(logging.Filter):
    """On aiohttp's logger; any other error passes as it is, with its traceback."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._quiet_until = 0.0
        self._untold = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not is_of_the_peer(error):
            return True
        now = self._clock()
        if now < self._quiet_until:
            self._untold += 1
            return False
        fields: dict[str, object] = {"why": " ".join(str(error).split())[:WHY_MAX_CHARS]}
        if self._untold:
            fields["more"] = self._untold  # since the last line
        self._quiet_until, self._untold = now + QUIET_S, 0
        record.__dict__["fields"] = fields
        record.msg = f"malformed HTTP: {record.getMessage()}"
        record.args, record.exc_info, record.exc_text = (), None, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def is_of_the_peer(error: BaseException) -> bool:
    """Whether the bytes were wrong, not what handled them."""
    return any(
        base.__module__ == _PARSER_ERRORS or (base.__module__, base.__name__) == _BODY_ERROR
        for base in type(error).__mro__
    )
