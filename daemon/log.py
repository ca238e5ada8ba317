"""Structured logs on stderr: one line for each change of state, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time

from daemon.malformed_http import LOGGER as HTTP_LOGGER
from daemon.malformed_http import MalformedHttp

LEVELS = ("debug", "info", "warning", "error")
STYLES = ("text", "json")
_NOISY_LIBRARIES = ("aiortc", "aioice", "aiohttp", "asyncio", "libav")


class _TextFormatter(logging.Formatter):
    """`12:30:01 info    streamer.send  connected  peer=192.168.1.20:8889`"""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f"  {name}={_quoted(value)}" for name, value in _fields(record).items())
        line = f"{clock} {record.levelname.lower():7} {record.name}  {record.getMessage()}{fields}"
        return line + self._trace(record)

    def _trace(self, record: logging.LogRecord) -> str:
        return "\n" + self.formatException(record.exc_info) if record.exc_info else ""


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (Unix seconds), `level`, `logger`, `event`, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _DaemonHandler(logging.StreamHandler):  # type: ignore[type-arg]  # no [] on Python 3.10
    """Marks a root logger as set up by `setup`."""


def setup(level: str = "info", style: str = "text") -> None:
    """Send the logs of this process to stderr; libraries only from `warning` on."""
    handler = _DaemonHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if style == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for library in _NOISY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger(HTTP_LOGGER).filters = [MalformedHttp()]


def event(
    logger: logging.Logger, what: str, *, level: int = logging.INFO, **fields: object
) -> None:
    """Say that something happened; `fields` hold its values, with units in their names."""
    logger.log(level, "%s", what, extra={"fields": fields})


def fail(name: str, message: str) -> None:
    """Say why the command `name` ends: in the style of the logs once they are set up."""
    if any(isinstance(handler, _DaemonHandler) for handler in logging.getLogger().handlers):
        logging.getLogger(name).error("%s", message)
    else:
        print(f"{name}: {message}", file=sys.stderr)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _quoted(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text
