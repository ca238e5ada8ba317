"""Who may use the page: a token or a local name, and no other page's scripts.

every request     401 without the token, where there is one; 421 under a public name, where not
that changes      403 from another origin than the page's own (Fetch, section 3.2 `Origin`; Fetch
                  Metadata, section 2 `Sec-Fetch-Site`); besides, its body is of a type, or its
                  method one, that a browser lets through to no other origin without asking us,
                  and we answer no such question (no CORS)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from daemon.host_check import is_local_name
from link.bearer import BearerCheck, TooManyGuesses, bearer_of
from link.rate_limit import source_of

COOKIE = "denc-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageDoor:
    """The middleware of the page's application."""

    def __init__(self, token: str | None) -> None:
        self._bearer = None if token is None else BearerCheck(token)

    @property
    def needs_token(self) -> bool:
        return self._bearer is not None

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Raises aiohttp's HTTP errors for those who may not come in."""
        try:
            await self._check(request)
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(SECURITY_HEADERS)
            raise
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    async def _check(self, request: web.Request) -> None:
        from_query = request.query.get("token", "")
        if self._bearer is not None:
            bearer = bearer_of(request.headers.get("Authorization"))
            shown = bearer or from_query or request.cookies.get(COOKIE)
            if not await self._is_right(self._bearer, shown, request):
                raise web.HTTPUnauthorized(
                    text="This page needs its token: open it as /?token=TOKEN\n",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            if from_query and request.path == "/":
                home = web.HTTPSeeOther("/")
                home.set_cookie(COOKIE, from_query, httponly=True, samesite="Strict")
                raise home
        elif not is_local_name(request.host):
            raise web.HTTPMisdirectedRequest(
                text="This machine has no such name: open it by its address, or set a token\n"
            )
        if request.method not in SAFE_METHODS and _is_foreign(request):
            raise web.HTTPForbidden(text="Another page may not change anything here\n")

    async def _is_right(self, bearer: BearerCheck, shown: str | None, request: web.Request) -> bool:
        try:
            return await bearer.accepts(shown, source_of(request.remote or "?"))
        except TooManyGuesses as error:
            raise web.HTTPTooManyRequests(
                text="Too many wrong tokens\n", headers={"Retry-After": "2"}
            ) from error


def _is_foreign(request: web.Request) -> bool:
    """Whether a browser says that another page's script sends this. Programs say nothing."""
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITES:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
