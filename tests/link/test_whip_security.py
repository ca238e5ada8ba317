"""The WHIP server as strangers, guessers and boxes see it; the client and whom it talks to."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pair import Consumer, Irap, until
from test_sdp import SSRCS, transport

from link.errors import PeerChanged, Refused, SignallingError, Unreachable
from link.ice_servers import IceServer, parse_ice_servers
from link.identity import Box, Identity, announced, load_or_create
from link.listener import ConnectionLimits
from link.rate_limit import Rate
from link.sdp import parse_offer
from link.sdp_text import make_answer, make_offer
from link.sender import MediaSender
from link.transport import MediaTransport
from link.whip_client import publish
from link.whip_door import BOX_HEADER, Limits
from link.whip_server import MAX_CONNECTING, WHIP_PATH, WhipServer

TOKEN = "a-secret-token"
SDP = {"Content-Type": "application/sdp"}
OFFER = make_offer(transport(), SSRCS, ())[0]
SERVERS = parse_ice_servers(["stun:127.0.0.1:9", "turn:user:pass@127.0.0.1:9"])


class KnownBoxes:
    """A gate that knows some, and takes down who proved a key."""

    def __init__(self, *fingerprints: str) -> None:
        self.known = set(fingerprints)
        self.asked: list[Box] = []
        self.proven: list[Box] = []

    def knows(self, box: Box) -> bool:
        return box.fingerprint in self.known

    def refusal(self, box: Box) -> str | None:
        self.asked.append(box)
        return None if self.knows(box) else "run denc-view pair"

    def admit(self, box: Box) -> bool:
        self.proven.append(box)
        return self.knows(box)


class Pin:
    """Pins of one viewer."""

    def __init__(self, expected: str | None = None) -> None:
        self.expected = expected
        self.kept: list[tuple[str, str]] = []

    def refusal(self, authority: str, fingerprint: str) -> str | None:
        changed = self.expected not in (None, fingerprint)
        return "denc-stream forget" if changed else None

    def keep(self, authority: str, fingerprint: str) -> None:
        self.kept.append((authority, fingerprint))


@pytest.fixture
def viewer_key(tmp_path: Path) -> Identity:
    return load_or_create(tmp_path / "viewer.pem")


@pytest.fixture
def box_key(tmp_path: Path) -> Identity:
    return load_or_create(tmp_path / "box.pem")


@asynccontextmanager
async def serving(consumer: Consumer | None = None, **options: object) -> AsyncIterator[WhipServer]:
    given = {"host": "127.0.0.1", "port": 0, "token": None, "network_ids": []} | options
    server = WhipServer(on_session=consumer or Consumer(), **given)  # type: ignore[arg-type]
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def dial(
    url: str,
    identity: Identity | None = None,
    pins: Pin | None = None,
    *,
    token: str | None = None,
    timeout_s: float = 5,
    ice_servers: Sequence[IceServer] = (),
) -> MediaSender:
    return await publish(
        url,
        token=token,
        network_ids=[],
        on_irap_request=Irap(),
        timeout_s=timeout_s,
        identity=identity,
        name="camera",
        pins=pins,
        ice_servers=ice_servers,
    )


def https(server: WhipServer) -> str:
    return f"https://127.0.0.1:{server.port}{WHIP_PATH}"


async def test_a_box_proves_its_key_and_both_ends_know_each_other(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate, pin, consumer = KnownBoxes(box_key.fingerprint), Pin(), Consumer()
    async with serving(consumer, identity=viewer_key, gate=gate) as server:
        sender = await dial(https(server), box_key, pin)
        assert await until(lambda: bool(consumer.receivers), 2)
        await sender.close()
    assert gate.proven == [Box(box_key.fingerprint, "camera")]
    assert pin.kept == [(f"127.0.0.1:{server.port}", viewer_key.fingerprint)]


async def test_a_stranger_is_refused_with_what_to_do(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate, pin = KnownBoxes(), Pin()
    async with serving(identity=viewer_key, gate=gate) as server:
        with pytest.raises(Refused, match="denc-view pair") as refused:
            await dial(https(server), box_key, pin)
    assert refused.value.status == 403
    assert gate.proven == pin.kept == []


async def test_who_only_claims_to_be_a_box_gets_nowhere_and_blocks_nobody(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate, consumer = KnownBoxes(box_key.fingerprint), Consumer()
    claim = OFFER.splitlines()
    colons = ":".join(box_key.fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
    claim = [f"a=fingerprint:sha-256 {colons}" if "fingerprint" in i else i for i in claim]
    async with serving(consumer, identity=viewer_key, gate=gate) as server, client() as http:
        for _ in range(5):
            body = "\r\n".join(claim) + "\r\n"
            async with http.post(https(server), data=body, headers=SDP) as response:
                assert response.status == 201
        sender = await dial(https(server), box_key, Pin())
        assert await until(lambda: len(consumer.receivers) == 1, 2)
        await sender.close()
    assert gate.proven == [Box(box_key.fingerprint, "camera")]


async def test_no_more_than_a_few_connect_at_once() -> None:
    async with serving() as server:
        statuses = []
        for number in range(MAX_CONNECTING + 1):
            connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{number + 2}", 0))
            url = f"http://127.0.0.1:{server.port}{WHIP_PATH}"
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                http.post(url, data=OFFER, headers=SDP) as response,
            ):
                statuses.append(response.status)
                if response.status == 503:
                    assert int(response.headers["Retry-After"]) >= 1
        assert statuses == [201] * MAX_CONNECTING + [503]


async def test_a_session_of_a_box_that_is_forgotten_ends(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate, consumer = KnownBoxes(box_key.fingerprint), Consumer()
    async with serving(consumer, identity=viewer_key, gate=gate) as server:
        sender = await dial(https(server), box_key, Pin())
        assert await until(lambda: bool(gate.proven), 2)
        gate.known.clear()
        await asyncio.wait_for(sender.wait_closed(), 4)
    assert consumer.ends[0][1] == "this box was forgotten"


async def test_another_viewer_than_the_known_one_gets_nothing(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate = KnownBoxes(box_key.fingerprint)
    async with serving(identity=viewer_key, gate=gate) as server:
        with pytest.raises(PeerChanged, match="denc-stream forget"):
            await dial(https(server), box_key, Pin("cc" * 32), token=TOKEN)
        assert gate.asked == []
        await (await dial(https(server), box_key, Pin(viewer_key.fingerprint))).close()
        assert len(gate.asked) == 1


async def test_an_endpoint_that_is_no_box_needs_a_certificate_that_is_vouched_for(
    viewer_key: Identity,
) -> None:
    async with serving(identity=viewer_key) as server:
        with pytest.raises(Unreachable, match=r"nobody vouches.*--peer 127\.0\.0\.1"):
            await dial(https(server))


async def test_plain_http_where_https_is_expected_is_told() -> None:
    async with serving() as server:
        with pytest.raises(Unreachable, match="plain HTTP"):
            await dial(https(server), None, Pin())


async def test_the_plain_listener_takes_the_token_alone(
    viewer_key: Identity, box_key: Identity
) -> None:
    gate, consumer = KnownBoxes(box_key.fingerprint), Consumer()
    options = {"identity": viewer_key, "gate": gate, "token": TOKEN, "plain": ("127.0.0.1", 0)}
    async with serving(consumer, **options) as server:
        url = f"http://127.0.0.1:{server.plain_port}{WHIP_PATH}"
        with pytest.raises(Refused) as refused:
            await dial(url, box_key)
        assert refused.value.status == 401
        sender = await dial(url, token=TOKEN)
        assert await until(lambda: bool(consumer.receivers), 2)
        await sender.close()


async def test_a_wrong_token_waits_alone_and_never_shows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(token=TOKEN) as server, client() as http:
        url = f"http://127.0.0.1:{server.port}{WHIP_PATH}"

        async def guess(token: str) -> int:
            headers = SDP | {"Authorization": f"Bearer {token}"}
            async with http.post(url, data=OFFER, headers=headers) as response:
                assert token not in await response.text()
                return response.status

        wrong = [asyncio.ensure_future(guess("wrong-guess")) for _ in range(6)]
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        async with http.options(url) as response:
            assert response.status == 204
        assert time.monotonic() - begin < 1
        statuses = await asyncio.gather(*wrong)
        assert set(statuses) == {401, 429}
        assert await guess(TOKEN) == 201
    assert TOKEN not in caplog.text
    assert "wrong-guess" not in caplog.text


async def test_requests_over_the_rate_are_told_when_to_come_back() -> None:
    limits = Limits(each=Rate(3, 0.5), total=Rate(100, 100))
    async with serving(limits=limits) as server, client() as http:
        url = f"http://127.0.0.1:{server.port}{WHIP_PATH}"
        statuses = []
        for _ in range(4):
            async with http.options(url) as response:
                statuses.append(response.status)
        assert statuses == [204, 204, 204, 429]
        assert int(response.headers["Retry-After"]) in (1, 2)
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_headers_that_never_end_are_cut_off() -> None:
    async with serving(connections=ConnectionLimits(seconds=0.5)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /whip HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        await asyncio.wait_for(reader.read(), 2)
        writer.close()


async def test_ice_servers_are_told_to_those_who_may_come_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("link.transport.aioice_arguments", lambda servers: {})  # told, not asked
    async with serving(token=TOKEN, ice_servers=SERVERS) as server, client() as http:
        url = f"http://127.0.0.1:{server.port}{WHIP_PATH}"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with http.options(url) as response:
            assert "Link" not in response.headers
        async with http.options(url, headers=bearer) as response:
            assert len(response.headers.getall("Link")) == 2
        async with http.post(url, data=OFFER, headers=SDP | bearer) as response:
            assert response.status == 201
            links = response.headers.getall("Link")
        assert links[0] == '<stun:127.0.0.1:9>; rel="ice-server"'
        assert 'credential="pass"' in links[1]


@asynccontextmanager
async def answering(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_is_followed_and_the_token_stays_at_home(
    status: int, box_key: Identity
) -> None:
    consumer, asked = Consumer(), []
    gate = KnownBoxes(box_key.fingerprint)

    async def redirect(request: web.Request) -> web.Response:
        asked.append((request.method, request.path, request.headers.get("Authorization")))
        there = "/second" if request.path == "/first" else f"http://127.0.0.1:{server.port}/whip"
        return web.Response(status=status, headers={"Location": there})

    # the second server would answer 401 to the token of the first
    async with (
        serving(consumer, gate=gate, token="another") as server,
        answering(redirect) as url,
    ):
        sender = await dial(f"{url}/first", box_key, token=TOKEN)
        assert await until(lambda: bool(consumer.receivers), 2)
        await sender.close()
    bearer = f"Bearer {TOKEN}"
    assert asked == [("POST", "/first", bearer), ("POST", "/second", bearer)]


@pytest.mark.parametrize(
    ("location", "words"), [("/again", "more than 5"), ("ftp://127.0.0.1/x", "do not go")]
)
async def test_a_redirect_that_leads_nowhere_is_told(location: str, words: str) -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": location})

    async with answering(redirect) as url:
        with pytest.raises(SignallingError, match=words):
            await dial(f"{url}/whip")


async def test_a_302_is_a_refusal_and_no_get() -> None:
    methods = []

    async def found(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.Response(status=302, headers={"Location": "/else"})

    async with answering(found) as url:
        with pytest.raises(Refused, match="302"):
            await dial(f"{url}/whip")
    assert methods == ["POST"]


async def test_servers_that_the_endpoint_tells_of_are_tried_when_there_is_no_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("link.transport.ICE_SERVERS_TIMEOUT_S", 0.1)
    offers: list[str] = []

    async def no_path(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.Response()
        offers.append(await request.text())
        answer = make_answer(parse_offer(offers[-1]), transport("client"), ())
        headers = {"Location": "/whip/1", "Link": '<stun:127.0.0.1:9>; rel="ice-server"'}
        return web.Response(status=201, text=answer, headers=headers)

    async with answering(no_path) as url:
        begin = time.monotonic()
        with pytest.raises(Unreachable):
            await dial(f"{url}/whip", timeout_s=1.5)
        assert time.monotonic() - begin < 5
    assert len(offers) == 2


async def test_dtls_shows_the_key_of_the_box_and_a_new_one_without(box_key: Identity) -> None:
    for identity, same in ((box_key, True), (None, False)):
        path = MediaTransport(controlling=True, loopback=True, identity=identity)
        found = announced((await path.gather()).dtls.fingerprints)
        assert (found == box_key.fingerprint) is same
        await path.close()


async def test_a_lan_without_a_server_waits_for_none() -> None:
    path = MediaTransport(controlling=True, loopback=True)
    begin = time.monotonic()
    await path.gather()
    assert time.monotonic() - begin < 1
    await path.close()


def test_the_header_that_names_a_box_is_documented() -> None:
    security = Path(__file__).parents[2] / "docs" / "security.md"
    assert f"`{BOX_HEADER}`" in security.read_text()
