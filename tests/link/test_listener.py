"""The TCP port of the signalling: few connections, and none for long."""

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pair import resources

from link.identity import load_or_create
from link.listener import ConnectionLimits, Listener

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
UNFINISHED = [b"", b"POST / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"]


@asynccontextmanager
async def listening(limits: ConnectionLimits, tls_folder: Path | None = None) -> AsyncIterator[int]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=request.remote or "?")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.05)

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        listener.asked(request)
        return await handler(request)

    app = web.Application(middlewares=[note])
    app.router.add_get("/", hello)
    app.router.add_get("/endless", endless)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    tls = None
    if tls_folder is not None:
        tls = load_or_create(tls_folder / "identity.pem").server_context()
    listener = Listener(runner.server, "127.0.0.1", 0, tls, limits)
    await listener.start()
    try:
        yield listener.port
    finally:
        await listener.stop()
        await runner.cleanup()
        await listener.close_connections()


async def get(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url, ssl=False) as response:
        return await response.text()


async def ended(reader: asyncio.StreamReader, within_s: float) -> bool:
    try:
        await asyncio.wait_for(reader.read(), within_s)  # an answer is fine, if it is the last
    except ConnectionError:
        return True
    except asyncio.TimeoutError:
        return False
    return True


@pytest.mark.parametrize("tls", [False, True])
async def test_requests_are_answered_and_nothing_is_left(tls: bool, tmp_path: Path) -> None:
    scheme = "https" if tls else "http"
    async with listening(ConnectionLimits(), tmp_path if tls else None) as port:
        assert await get(f"{scheme}://127.0.0.1:{port}/") == "127.0.0.1"
        await asyncio.sleep(0.2)
        before = await resources()
        for _ in range(5):
            await get(f"{scheme}://127.0.0.1:{port}/")
        await asyncio.sleep(0.3)
        assert await resources() <= before


@pytest.mark.parametrize("said", UNFINISHED)
@pytest.mark.parametrize("tls", [False, True])
async def test_a_client_that_never_finishes_is_cut_off(
    said: bytes, tls: bool, tmp_path: Path
) -> None:
    async with listening(ConnectionLimits(seconds=0.5), tmp_path if tls else None) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await ended(reader, 2)
        writer.close()


async def test_one_address_has_its_share_and_all_together_have_theirs() -> None:
    async with listening(ConnectionLimits(total=3, each=2, seconds=5)) as port:
        open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await ended(reader, 1)
        other = [
            await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            for _ in range(2)
        ]
        assert not await ended(other[0][0], 0.2)
        assert await ended(other[1][0], 1)
        for _, gone in (*open_, *other):
            gone.close()
        writer.close()
        await asyncio.sleep(0.4)
        assert await get(f"http://127.0.0.1:{port}/") == "127.0.0.1"


@pytest.mark.parametrize("said", [*UNFINISHED, b"\r\n\r\n"])
async def test_where_answers_have_no_end_the_first_request_has_a_deadline(said: bytes) -> None:
    limits = ConnectionLimits(total=2, seconds=None, request_s=0.3)
    async with listening(limits) as port:
        watching, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(3):  # each in the place of the one before
            idle, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            assert await ended(idle, 2)
            writer.close()
        await watching.read(1 << 16)
        assert await asyncio.wait_for(watching.read(1), 1)
        asks.close()


@pytest.mark.parametrize("steps", range(5))
async def test_who_comes_as_it_stops_leaves_nothing_behind(steps: int) -> None:
    async with listening(ConnectionLimits()) as port:
        await asyncio.sleep(0.05)
        with socket.socket() as client:
            client.connect(("127.0.0.1", port))
            for _ in range(steps):
                await asyncio.sleep(0)
    gc.collect()


async def test_who_comes_while_no_descriptor_is_left_is_served_later() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening(ConnectionLimits()) as port:
        with socket.socket() as client:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
            try:
                client.connect(("127.0.0.1", port))
                await asyncio.sleep(0.1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            client.settimeout(5)
            assert (await asyncio.to_thread(client.recv, 100)).startswith(b"HTTP/1.0 200")


async def test_a_port_that_is_taken_is_an_oserror() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        runner = web.AppRunner(web.Application())
        await runner.setup()
        assert runner.server is not None
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await Listener(runner.server, "127.0.0.1", port, None, ConnectionLimits()).start()
        await runner.cleanup()
