"""The live figures over HTTP: `/figures.json` for people and scripts, `/metrics` for Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.host_check import host_check
from daemon.process import process_figures

STREAMER_PORT = 9464
VIEWER_PORT = 9465
LOCALHOST = "127.0.0.1"


def routes(figures: Figures, prefix: str) -> list[web.RouteDef]:
    """Routes that any aiohttp application may add; `prefix` starts the Prometheus names."""

    def refresh() -> None:
        for name, value in process_figures().items():
            figures.set(name, value)

    async def as_json(request: web.Request) -> web.Response:
        refresh()
        return web.json_response(figures.document(), headers={"Cache-Control": "no-store"})

    async def as_prometheus(request: web.Request) -> web.Response:
        refresh()
        return web.Response(
            text=figures.prometheus(prefix),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    return [web.get("/figures.json", as_json), web.get("/metrics", as_prometheus)]


@asynccontextmanager
async def serve(
    figures: Figures, host: str, port: int, *, prefix: str = "denc"
) -> AsyncIterator[None]:
    """Serve the figures while the block runs: `async with serve(figures, LOCALHOST, port):`.

    Port 0 turns it off. Raises UsageError when the port is taken.
    """
    if port == 0:
        yield
        return
    app = web.Application(middlewares=[host_check])
    app.add_routes(routes(figures, prefix))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UsageError(
                f"port {port} for the live figures is not free ({error.strerror}): "
                "give another with --figures-port, or 0 for none"
            ) from error
        yield
    finally:
        await runner.cleanup()
