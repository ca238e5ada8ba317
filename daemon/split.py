"""When a recording goes on in the next file."""

from __future__ import annotations

import re
from dataclasses import dataclass

PERIOD_MIN_S, PERIOD_MAX_S = 1, 7 * 86_400
SIZE_MIN_BYTES, SIZE_MAX_BYTES = 1_000_000, 10**15
_FORM = re.compile(r"(?P<amount>\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>[a-z]+)", re.IGNORECASE)
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_BYTES = {"mb": 10**6, "gb": 10**9}


@dataclass(frozen=True)
class Split:
    """The most that one file holds: an amount of time, or of bytes."""

    period_s: float | None = None
    size_bytes: float | None = None

    def is_due(self, elapsed_ms: int, size_bytes: int) -> bool:
        """Whether a file that holds so much is full."""
        if self.period_s is not None:
            return elapsed_ms >= self.period_s * 1000
        return self.size_bytes is not None and size_bytes >= self.size_bytes


def parse_split(value: object) -> Split:
    """`10min`, `90s`, `2h`, `500MB` or `2GB`. Raises ValueError with what was expected."""
    match = _FORM.fullmatch(str(value).strip())
    if match is not None:
        amount, unit = float(match["amount"]), match["unit"].lower()
        period_s = amount * _SECONDS.get(unit, 0)
        size_bytes = amount * _BYTES.get(unit, 0)
        if PERIOD_MIN_S <= period_s <= PERIOD_MAX_S:
            return Split(period_s=period_s)
        if SIZE_MIN_BYTES <= size_bytes <= SIZE_MAX_BYTES:
            return Split(size_bytes=size_bytes)
    raise ValueError("a time such as 10min, 90s or 2h, or a size such as 500MB or 2GB")
