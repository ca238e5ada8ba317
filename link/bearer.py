"""Bearer tokens (RFC 6750): compared in constant time, and guessed slowly."""

import asyncio
import hmac
import random
from collections import Counter

FAILURE_DELAY_MAX_S = 2.0
MAX_DELAYED = 16  # answers held back at once
MAX_DELAYED_EACH = 2  # of one source, so that one that guesses locks nobody else out


class TooManyGuesses(Exception):  # noqa: N818 - reads as a state at the call site
    """Wrong tokens are being delayed, as many as may be: another token is not looked at."""


class BearerCheck:
    """Knows one token, and never tells it. `rng` draws the delays."""

    def __init__(self, token: str, rng: random.Random | None = None) -> None:
        self._token = token.encode()
        self._rng = rng or random.SystemRandom()
        self._delayed: Counter[str] = Counter()

    async def accepts(self, given: str | None, source: str) -> bool:
        """Whether the token is right; a wrong one is told so after a random time, 0 to 2 s.

        A missing one is no guess, and costs nothing. Raises TooManyGuesses.
        """
        if given is None:
            return False
        if self._delayed[source] >= MAX_DELAYED_EACH or self._delayed.total() >= MAX_DELAYED:
            raise TooManyGuesses
        if hmac.compare_digest(given.encode(errors="surrogateescape"), self._token):
            return True
        self._delayed[source] += 1
        try:
            await asyncio.sleep(self._rng.uniform(0, FAILURE_DELAY_MAX_S))
        finally:
            self._delayed[source] -= 1
            if not self._delayed[source]:
                del self._delayed[source]
        return False


def bearer_of(authorization: str | None) -> str | None:
    """The token of an `Authorization` header; None if it has none."""
    scheme, _, given = (authorization or "").partition(" ")
    return (given.strip() or None) if scheme.lower() == "bearer" else None
