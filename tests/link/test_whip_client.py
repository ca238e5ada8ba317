"""Publishing to servers that are not there, not willing, or not WHIP."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pair import Consumer, Irap, connect, resources, serving
from test_sdp import CHROME, transport

from link.errors import Refused, SignallingError, Unreachable
from link.sdp import parse_offer
from link.sdp_text import make_answer
from link.whip_client import publish

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def try_to(url: str, timeout_s: float = 1.0) -> None:
    await publish(url, token=None, network_ids=[], on_irap_request=Irap(), timeout_s=timeout_s)


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/whip"
    finally:
        await runner.cleanup()


async def test_a_wrong_token_is_refused_with_401() -> None:
    async with serving(Consumer(), token="right") as server:
        with pytest.raises(Refused) as refused:
            await connect(server, token="wrong")
        assert refused.value.status == 401
        assert "wrong" not in str(refused.value)
        sender = await connect(server, token="right")
        await sender.close()


async def test_nobody_at_the_port_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        with pytest.raises(Unreachable):
            await try_to(f"http://127.0.0.1:{taken.getsockname()[1]}/whip")


@pytest.mark.parametrize(
    "url", ["", "whip", "ftp://127.0.0.1/whip", "http://", "http://[::1/whip", "http://a:x/whip"]
)
async def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    with pytest.raises(SignallingError):
        await try_to(url)


async def test_a_server_that_keeps_silent_is_unreachable_in_time() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async with answering(handler) as url:
        begin = time.monotonic()
        with pytest.raises(Unreachable):
            await try_to(url, 0.3)
        assert time.monotonic() - begin < 0.8


async def test_a_peer_without_a_media_path_is_unreachable_in_time_and_told_goodbye() -> None:
    deleted: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            deleted.append(request.path)
            return web.Response()
        offer = parse_offer(await request.text())
        answer = make_answer(offer, transport("client"), ())
        return web.Response(status=201, text=answer, headers={"Location": "/whip/secret"})

    async with answering(handler) as url:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match="media path"):
            await try_to(url, 0.5)
        assert time.monotonic() - begin < 1
    assert deleted == ["/whip/secret"]


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (201, "hello", SignallingError, "does not fit"),
        (201, "x" * 100_000, SignallingError, "larger than any SDP"),
        (200, "<html>a web page</html>", Refused, "200 <html>"),
        (404, "", Refused, "404 Not Found"),
        (503, "busy\r\nreally", Refused, "503 busy really"),
    ],
)
async def test_an_answer_that_is_none_is_told(
    status: int, body: str, error: type[SignallingError], message: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    async with answering(handler) as url:
        with pytest.raises(error, match=message):
            await try_to(url)


async def test_an_answer_in_another_format_is_told() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = make_answer(parse_offer(CHROME), transport("client"), ())
        return web.Response(status=201, text=answer)

    async with answering(handler) as url:
        with pytest.raises(SignallingError, match="another format"):
            await try_to(url)


async def test_a_cancelled_publish_leaves_nothing_behind() -> None:
    over = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    before = await resources()
    async with answering(handler) as url:
        task = asyncio.ensure_future(try_to(url, 5))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        over.set()
    assert await resources() <= before


@pytest.mark.parametrize("target", ["http://[::1", "http://a\x02b/", "http://a:99999999/", "//["])
@pytest.mark.parametrize("status", [201, 307])
async def test_a_server_that_points_nowhere_ends_in_a_signalling_error(
    status: int, target: str
) -> None:
    """Such hosts made aiohttp and urllib raise ValueError, which ended the streamer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode("latin-1"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SignallingError):
            await try_to(f"http://127.0.0.1:{port}/whip")
