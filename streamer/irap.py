"""When the next picture is to be an IRAP: on request, yet not too often."""

from __future__ import annotations

import threading

INTERVAL_MIN_US = 300_000


class IrapGate:
    """Keeps a request until an IRAP may be made: at most one every 300 ms.

    Requests come from any thread; `take` is called by the encoder, with the capture time of the
    picture at hand. A request while the last IRAP is still fresh is kept, not lost.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._last_us: int | None = None

    def request(self) -> None:
        self._wanted.set()

    def take(self, captured_us: int) -> bool:
        """Whether this picture becomes an IRAP; the request is then answered."""
        if not self._wanted.is_set():
            return False
        if self._last_us is not None and 0 <= captured_us - self._last_us < INTERVAL_MIN_US:
            return False
        self._wanted.clear()
        self._last_us = captured_us
        return True

    def made(self, captured_us: int) -> None:
        """The encoder made an IRAP by itself (its first picture, its keyframe interval)."""
        self._last_us = captured_us
