"""SDP, trickle fragments, HTTP: what anybody may send to a viewer, and a server to a streamer."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from unittest.mock import patch

import aiohttp
from aiortc.sdp import SessionDescription

from link.errors import LinkError
from link.receiver import MediaReceiver
from link.sdp import NoH265Error, SdpError, parse_answer, parse_candidates, parse_offer
from link.sdp_text import make_answer, make_offer
from link.transport import MediaTransport
from link.whip_client import publish
from link.whip_server import WhipServer
from tests.fuzz.doubles import SilentTransport, WaitingTransport, parameters
from tests.fuzz.loop import event_loop
from tests.fuzz.on.http import READ_BYTES, ask, serving
from tests.fuzz.on.wire import SSRCS
from tests.fuzz.target import Form, Run, Target, plain

NETWORKS = (bytes(range(8)), bytes(range(8, 16)))
TOKEN = "secret"
SDP_BYTES = 16_384
CLIENT_LIMIT_MS = 40.0  # an answer may be ten redirects, with a request and a socket each
_SDP_ERRORS = (SdpError, NoH265Error, UnicodeDecodeError)  # the last: the HTTP handler refuses
_HEAD = "{} {} HTTP/1.1\r\nHost: v\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
_OFFER = make_offer(parameters(), SSRCS, NETWORKS)[0].encode()


def _offer(data: bytes) -> None:
    """What is taken can be answered, and the answer is SDP."""
    offer = parse_offer(data.decode())
    SessionDescription.parse(make_answer(offer, parameters("client"), NETWORKS))


def _answer(data: bytes) -> None:
    _, offered = make_offer(parameters(), SSRCS, NETWORKS)
    parse_answer(data.decode(), offered)


@contextmanager
def _trickle() -> Iterator[Run]:
    """Fragments, and what ICE makes of their candidates."""
    with event_loop() as loop:

        async def made() -> MediaTransport:
            return MediaTransport(controlling=False, loopback=False)

        transport = loop.run(made())

        def run(data: bytes) -> None:
            _, candidates = parse_candidates(data.decode())
            transport._remote_candidates = 0
            transport._connection._remote_candidates.clear()
            loop.run(transport.add_candidates(candidates))

        yield run
        loop.run(transport.close())


async def _watch(receiver: MediaReceiver) -> None:
    await receiver.receive()


def _server(token: str | None) -> WhipServer:
    return WhipServer(host="", port=0, token=token, network_ids=NETWORKS, on_session=_watch)


def _whip(
    token: str | None,
    requests: Callable[[bytes, WhipServer], list[bytes]],
    transport: type[SilentTransport] = SilentTransport,
) -> Callable[[], AbstractContextManager[Run]]:
    """A WHIP server whose sessions have no network; its sockets are Unix sockets."""

    @contextmanager
    def opened() -> Iterator[Run]:
        with event_loop() as loop, patch("link.whip_server.MediaTransport", transport):

            async def started() -> tuple[WhipServer, AbstractAsyncContextManager[Path], Path]:
                server = _server(token)
                served = serving(server.app)
                return server, served, await served.__aenter__()

            server, served, path = loop.run(started())

            async def asked(data: bytes) -> None:
                for request in requests(data, server):
                    await ask(path, request)

            yield lambda data: loop.run(asked(data))
            loop.run(served.__aexit__(None, None, None))
            loop.run(server.stop())

    return opened


def _as_they_are(data: bytes, server: WhipServer) -> list[bytes]:
    return [data]


def _as_bodies(data: bytes, server: WhipServer) -> list[bytes]:
    """A POST that takes the only place, and a PATCH to the session that it may have made."""
    secret = next(iter(server._sessions), "none")
    return [
        _request("POST", "/whip", "application/sdp", data),
        _request("PATCH", f"/whip/{secret}", "application/trickle-ice-sdpfrag", data),
    ]


def _as_patches(data: bytes, server: WhipServer) -> list[bytes]:
    """To a session that is there: the first line is If-Match, the others are the body."""
    tag, _, body = data.partition(b"\n")
    match = b"If-Match: " + tag.rstrip(b"\r") + b"\r\n"
    opening = [] if server._sessions else [_request("POST", "/whip", "application/sdp", _OFFER)]
    secret = next(iter(server._sessions), "none")
    path = f"/whip/{secret}"
    return [*opening, _request("PATCH", path, "application/trickle-ice-sdpfrag", body, match)]


def _request(method: str, path: str, kind: str, body: bytes, more: bytes = b"") -> bytes:
    head = _HEAD.format(method, path, kind, len(body)).encode()
    return head + more + b"\r\n" + body


@asynccontextmanager
async def _answering(path: Path, answer: list[bytes]) -> AsyncIterator[None]:
    """A server that says the same to everybody."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(READ_BYTES)
        writer.write(answer[0])
        writer.close()

    server = await asyncio.start_unix_server(say, str(path))
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def _client() -> Iterator[Run]:
    """`publish` to a hostile server; wherever its answers point to, every socket is that server."""
    session = aiohttp.ClientSession
    with tempfile.TemporaryDirectory() as folder, event_loop() as loop:
        path = Path(folder, "http")

        def local(**options: object) -> aiohttp.ClientSession:
            return session(connector=aiohttp.UnixConnector(str(path)), **options)  # type: ignore[arg-type]

        async def published(data: bytes) -> None:
            async with _answering(path, [data]):
                await publish(
                    "http://127.0.0.1/whip",
                    token=TOKEN,
                    network_ids=NETWORKS,
                    on_irap_request=lambda: None,
                    timeout_s=2,
                )

        with (
            patch("aiohttp.ClientSession", local),
            patch("link.whip_client.MediaTransport", SilentTransport),
        ):
            yield lambda data: loop.run(published(data))


TARGETS = (
    Target("offer", plain(_offer), _SDP_ERRORS, 2_000, Form.TEXT, max_bytes=SDP_BYTES),
    Target("answer", plain(_answer), _SDP_ERRORS, 3_500, Form.TEXT, max_bytes=SDP_BYTES),
    Target("trickle", _trickle, _SDP_ERRORS, 6_000, Form.TEXT),
    Target("whip_http", _whip(TOKEN, _as_they_are), (), 700, Form.TEXT, max_bytes=SDP_BYTES),
    Target("whip_body", _whip(None, _as_bodies), (), 300, Form.TEXT, max_bytes=SDP_BYTES),
    Target("whip_patch", _whip(None, _as_patches, WaitingTransport), (), 500, Form.TEXT),
    Target("whip_client", _client, (LinkError,), 500, Form.TEXT, limit_ms=CLIENT_LIMIT_MS),
)
