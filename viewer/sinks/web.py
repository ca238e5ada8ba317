"""The page: restored video, latent preview, live figures and snapshots over HTTP.

    /               the page            /figures.json, /metrics   live figures
    /restored.mjpeg restored video      /preview.mjpeg            the latent as it travels
    /snapshot.png   the newest picture

With a token every request needs it: `Authorization: Bearer TOKEN`, or once `/?token=TOKEN`, which
leaves a cookie.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.figures_server import routes as figure_routes
from daemon.host_check import is_local_name
from link.bearer import BearerCheck, TooManyGuesses, bearer_of
from link.rate_limit import source_of
from viewer.address import EVERYWHERE, Address
from viewer.picture import Shown
from viewer.sinks.feed import Feed
from viewer.sinks.still import encode_png

PAGE = Path(__file__).parent.parent / "page"
COOKIE = "denc-token"
BOUNDARY = "picture"
SHUTDOWN_TIMEOUT_S = 1.0
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebPage:
    """The sink of the page; start it on the event loop before pictures come."""

    name = "web"
    capacity = 1

    def __init__(self, figures: Figures, token: str | None, *, prefix: str) -> None:
        self._restored, self._preview = Feed(), Feed()
        self._bearer = None if token is None else BearerCheck(token)
        self._app = web.Application(middlewares=[self._guard])
        self._app.add_routes(figure_routes(figures, prefix))
        self._app.add_routes(
            [
                web.get("/", self._index),
                web.get("/restored.mjpeg", self._restored_stream),
                web.get("/preview.mjpeg", self._preview_stream),
                web.get("/snapshot.png", self._snapshot),
                web.get("/page/{name}", self._part),
            ]
        )
        self._runner = web.AppRunner(
            self._app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S
        )

    def show(self, value: Shown) -> None:
        self._restored.put(value.frame.planes)
        self._preview.put(value.decoded.latent.planes)

    def close(self) -> None:
        """Nothing is held back; `stop` ends the server."""

    async def start(self, address: Address) -> str:
        """Serve, and the URL to open. Raises UsageError when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address.host, address.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"cannot serve the page on {address}: {error.strerror}; "
                "give another port with --web, or --headless for no page"
            ) from error
        port = self._runner.addresses[0][1]
        host = "127.0.0.1" if address.host == EVERYWHERE else address.host
        return f"http://{Address(host, port)}/" + ("?token=..." if self._bearer else "")

    async def stop(self) -> None:
        """Send every browser home and stop listening."""
        self._restored.close()
        self._preview.close()
        await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
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
        response = await handler(request)
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    async def _is_right(self, bearer: BearerCheck, shown: str | None, request: web.Request) -> bool:
        try:
            return await bearer.accepts(shown, source_of(request.remote or "?"))
        except TooManyGuesses as error:
            raise web.HTTPTooManyRequests(
                text="Too many wrong tokens\n", headers={"Retry-After": "2"}
            ) from error

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _part(self, request: web.Request) -> web.StreamResponse:
        """A file of the page, by a name that is there: no other ever reaches the file system."""
        parts = {path.name: path for path in PAGE.iterdir()}
        part = parts.get(request.match_info["name"])
        if part is None:
            raise web.HTTPNotFound
        return web.FileResponse(part)

    async def _snapshot(self, request: web.Request) -> web.StreamResponse:
        planes = self._restored.newest
        if planes is None:
            raise web.HTTPNotFound(text="No picture yet\n")
        png = await asyncio.to_thread(encode_png, planes)
        return web.Response(
            body=png, content_type="image/png", headers={"Cache-Control": "no-store"}
        )

    async def _restored_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, self._restored)

    async def _preview_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, self._preview)

    async def _stream(self, request: web.Request, feed: Feed) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", **SECURITY_HEADERS})
        response.content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        await response.prepare(request)
        try:
            async with await feed.watch() as watcher:
                while (jpeg := await watcher.next_jpeg()) is not None:
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                    head += f"Content-Length: {len(jpeg)}\r\n\r\n"
                    await response.write(head.encode() + jpeg + b"\r\n")
        except ConnectionError:
            pass  # the browser left
        return response
