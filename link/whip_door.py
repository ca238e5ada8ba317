"""Who may come in at the WHIP server: rate limits, then a bearer token or a paired box.

every request       429 over the rate of its address, or of all together
with a token        401 if it is wrong, after a random delay; 429 while too many are delayed
without             a box that the gate knows, or may pair; 401 or 403 else
"""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from link.bearer import BearerCheck, TooManyGuesses, bearer_of
from link.identity import Box, announced, clean_name
from link.rate_limit import Rate, RateLimiter, source_of
from link.sdp import PeerDescription

BOX_HEADER = "Denc-Box"  # of POST: a box with a lasting key gives its name
STREAM_HEADER = "Denc-Stream"  # of POST: which of a box's streams it is, if it has several
REQUESTS_EACH = Rate(burst=60, per_s=10)  # trickling clients send a request for each candidate
REQUESTS_TOTAL = Rate(burst=200, per_s=40)
NOT_A_BOX = (
    "this viewer takes boxes that are paired with it, and what connects is no denc-stream: "
    "start denc-view with --token and give the same token here"
)
TOKEN_NEEDED = "A bearer token is needed"


class Gate(Protocol):
    """Decides about boxes; called on the event loop, and must not raise."""

    def knows(self, box: Box) -> bool:
        """Whether the session of a box that was admitted may go on: until it is certain that it
        was forgotten. New sessions ask `refusal` and `admit`."""

    def refusal(self, box: Box) -> str | None:
        """Why an offer that claims to be of this box is refused; None: it may try to prove it."""

    def admit(self, box: Box) -> bool:
        """Whether a box that has proven who it is may come in; pairs it where that is due."""


@dataclass(frozen=True)
class Limits:
    """Requests of one address, and of all together."""

    each: Rate = REQUESTS_EACH
    total: Rate = REQUESTS_TOTAL


class Door:
    """Raises aiohttp's HTTP errors for those who may not come in.

    Without a token and a gate everybody may. `token_only_plain`: requests without TLS need the
    token, since whoever reads along could come in the same way without.
    """

    def __init__(
        self, token: str | None, gate: Gate | None, limits: Limits, *, token_only_plain: bool
    ) -> None:
        self._bearer = None if token is None else BearerCheck(token)
        self._gate = gate
        self._limiter = RateLimiter(limits.each, limits.total)
        self._token_only_plain = token_only_plain

    def slow_down(self, request: web.Request) -> None:
        """Raises 429 for a request too many (RFC 6585, section 4)."""
        wait_s = self._limiter.wait_s(request.remote or "?", time.monotonic())
        if wait_s:
            raise refusal(
                web.HTTPTooManyRequests,
                "Too many requests",
                {"Retry-After": str(math.ceil(wait_s))},
            )

    async def has_token(self, request: web.Request) -> bool:
        """Whether the request shows the token. Raises 401 for a wrong one."""
        given = bearer_of(request.headers.get("Authorization"))
        if self._bearer is None:
            return False
        try:
            right = await self._bearer.accepts(given, source_of(request.remote or "?"))
        except TooManyGuesses as error:
            raise refusal(
                web.HTTPTooManyRequests, "Too many wrong tokens", {"Retry-After": "2"}
            ) from error
        if given is not None and not right:
            raise _unauthorized("This token is not the viewer's")
        return right

    async def enter(self, request: web.Request) -> bool:
        """Lets a POST in by its token (True), or leaves it to `check_box` (False)."""
        if await self.has_token(request):
            return True
        plain = self._token_only_plain and not request.secure
        if plain or (self._bearer is not None and self._gate is None):
            raise _unauthorized(TOKEN_NEEDED)
        return False

    def check_box(self, request: web.Request, offer: PeerDescription) -> Box | None:
        """The box that an offer without a token claims to be of. Raises 401 and 403."""
        if self._gate is None:
            return None
        box = Box(
            announced(offer.transport.dtls.fingerprints) or "",
            clean_name(request.headers.get(BOX_HEADER)),
        )
        why = self._gate.refusal(box)
        if why is None:
            return box
        if self._bearer is not None:
            raise _unauthorized(f"{TOKEN_NEEDED}, or a box that is paired: {why}")
        raise refusal(web.HTTPForbidden, why)

    def admits(self, box: Box | None) -> bool:
        """Whether a session whose peer has proven its fingerprint may begin."""
        return box is None or self._gate is None or self._gate.admit(box)

    def still_knows(self, box: Box | None) -> bool:
        """Whether a session of this box may go on."""
        return box is None or self._gate is None or self._gate.knows(box)


def refusal(
    kind: type[web.HTTPError], message: str, headers: dict[str, str] | None = None
) -> web.HTTPError:
    """An HTTP error with a sentence for the user."""
    return kind(text=message, headers=headers)


def _unauthorized(message: str) -> web.HTTPError:
    return refusal(web.HTTPUnauthorized, message, {"WWW-Authenticate": "Bearer"})
