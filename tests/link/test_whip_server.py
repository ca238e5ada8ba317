"""The WHIP endpoint as any HTTP client sees it (RFC 9725)."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from pair import Consumer, connect, serving, until
from test_sdp import CHROME, GSTREAMER, SSRCS, described, transport
from test_whip_security import KnownBoxes

from link.errors import SignallingError
from link.sdp_text import make_offer
from link.whip_door import Gate
from link.whip_server import WHIP_PATH, WhipServer

TOKEN = "a-secret-token"
SDP = {"Content-Type": "application/sdp"}
TRICKLE = {"Content-Type": "application/trickle-ice-sdpfrag"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OFFER = make_offer(transport(), SSRCS, ())[0]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def endpoint(server: WhipServer, path: str = WHIP_PATH) -> str:
    return f"http://127.0.0.1:{server.port}{path}"


@pytest.mark.parametrize("offer", [OFFER, CHROME, GSTREAMER])
async def test_an_offer_gets_an_answer_and_a_secret_location(
    http: aiohttp.ClientSession, offer: str
) -> None:
    async with serving(Consumer()) as server:
        async with http.post(endpoint(server), data=offer, headers=SDP) as response:
            assert response.status == 201
            assert response.content_type == "application/sdp"
            assert response.headers["ETag"].startswith('"')
            assert "Location" in response.headers["Access-Control-Expose-Headers"]
            location = response.headers["Location"]
            assert len(location) > len(WHIP_PATH) + 20
            assert "a=recvonly" in await response.text()
        async with http.delete(endpoint(server, location)) as response:
            assert response.status == 200
        async with http.delete(endpoint(server, location)) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"", SDP, 400),
        (b"hello", SDP, 400),
        (b"\xff\xfe", SDP, 400),
        (CHROME.replace("H265", "H266").encode(), SDP, 422),
        (OFFER.encode(), {"Content-Type": "text/plain"}, 415),
        (b"v" * 70_000, SDP, 413),
    ],
)
async def test_what_is_no_offer_is_refused_and_leaves_nothing(
    http: aiohttp.ClientSession, data: bytes, headers: dict[str, str], status: int
) -> None:
    async with serving(Consumer()) as server:
        async with http.post(endpoint(server), data=data, headers=headers) as response:
            assert response.status == status
            assert await response.text()
            assert response.headers["Access-Control-Allow-Origin"] == "*"
        async with http.post(endpoint(server), data=OFFER, headers=SDP) as response:
            assert response.status == 201


async def test_an_h264_offer_is_told_what_is_missing(http: aiohttp.ClientSession) -> None:
    offer = GSTREAMER.replace("H265", "H264")
    async with (
        serving(Consumer()) as server,
        http.post(endpoint(server), data=offer, headers=SDP) as response,
    ):
        assert response.status == 422
        assert "no H.265" in await response.text()


async def test_the_viewers_log_says_why_an_offer_was_refused_but_not_for_strangers(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    offer = described("offer-ffmpeg-8.1-h264")
    for token, headers, lines in ((TOKEN, SDP | BEARER, 1), (None, SDP, 1)):
        async with (
            serving(Consumer(), token=token) as server,
            http.post(endpoint(server), data=offer, headers=headers) as response,
        ):
            assert response.status == 422
        told = [r.getMessage() for r in caplog.records if "was refused" in r.getMessage()]
        assert len(told) == lines
        assert "it has: H264" in told[0]


@pytest.mark.parametrize("gate", [None, KnownBoxes()])
@pytest.mark.parametrize(
    "given",
    [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \udcff\udcfe"],
)
async def test_a_wrong_token_is_refused_everywhere_and_the_stream_goes_on(
    http: aiohttp.ClientSession,
    given: str | None,
    gate: Gate | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = {} if given is None else {"Authorization": given}
    async with serving(Consumer(), token=TOKEN, gate=gate) as server:
        async with http.post(endpoint(server), data=OFFER, headers=SDP | BEARER) as response:
            assert response.status == 201
            session = endpoint(server, response.headers["Location"])
        for method, url, kind in (
            ("POST", endpoint(server), SDP),
            ("PATCH", session, TRICKLE),
            ("DELETE", session, {}),
        ):
            async with http.request(method, url, data=OFFER, headers=kind | wrong) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert TOKEN not in await response.text()
        async with http.options(endpoint(server)) as response:
            assert response.status == 204
        async with http.delete(session, headers=BEARER) as response:
            assert response.status == 200
    assert TOKEN not in caplog.text


async def test_preflight_and_other_methods(http: aiohttp.ClientSession) -> None:
    async with serving(Consumer()) as server:
        async with http.options(endpoint(server)) as response:
            assert response.status == 204
            assert response.headers["Accept-Post"] == "application/sdp"
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
        for method in ("GET", "HEAD", "PUT"):
            async with http.request(method, endpoint(server)) as response:
                assert response.status == 405
        async with http.delete(endpoint(server, WHIP_PATH + "/unknown")) as response:
            assert response.status == 404


async def test_trickled_candidates_are_taken_and_an_ice_restart_is_not(
    http: aiohttp.ClientSession,
) -> None:
    candidate = "a=candidate:1 1 udp 9 127.0.0.1 5 typ host\r\n"
    async with serving(Consumer()) as server:
        async with http.post(endpoint(server), data=OFFER, headers=SDP) as response:
            session, etag = endpoint(server, response.headers["Location"]), response.headers["ETag"]
        for text, extra, status in (
            ("a=ice-ufrag:user\r\n" + candidate, {"If-Match": etag}, 204),
            (candidate, {"If-Match": f'"another", {etag}'}, 204),
            (candidate, {}, 428),
            (candidate, {"If-Match": ""}, 428),
            (candidate, {"If-Match": '"another"'}, 412),
            ("a=ice-ufrag:another\r\n" + candidate, {"If-Match": "*"}, 422),
            ("a=ice-ufrag:another\r\n" + candidate, {"If-Match": etag}, 422),
            ("a=candidate:nonsense", {"If-Match": etag}, 400),
        ):
            async with http.patch(session, data=text, headers=TRICKLE | extra) as response:
                assert response.status == status, text
        async with http.patch(session, data=candidate, headers=SDP) as response:
            assert response.status == 415


async def test_a_streamer_too_many_is_told_when_to_come_back(http: aiohttp.ClientSession) -> None:
    consumer = Consumer()
    async with serving(consumer) as server:
        sender = await connect(server)
        assert await until(lambda: bool(consumer.receivers), 1)
        async with http.post(endpoint(server), data=OFFER, headers=SDP) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
        assert not consumer.ends
        await sender.close()
        again = await connect(server)
        await again.close()


async def test_a_streamer_that_never_connects_does_not_block_the_next(
    http: aiohttp.ClientSession,
) -> None:
    consumer = Consumer()
    async with serving(consumer) as server:
        async with http.post(endpoint(server), data=OFFER, headers=SDP) as response:
            assert response.status == 201
        sender = await connect(server)
        assert await until(lambda: len(consumer.receivers) == 1, 1)
        await sender.close()


async def test_a_port_that_is_taken_is_named() -> None:
    async with serving(Consumer()) as server:
        other = WhipServer(
            host="127.0.0.1", port=server.port, token=None, network_ids=[], on_session=Consumer()
        )
        with pytest.raises(SignallingError, match=str(server.port)):
            await other.start()


async def test_a_failing_consumer_ends_its_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def broken(receiver: object) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.2)  # the sender's end of DTLS is through as well
        raise RuntimeError("the viewer's bug")

    server = WhipServer(host="127.0.0.1", port=0, token=None, network_ids=[], on_session=broken)
    await server.start()
    for _ in range(2):
        sender = await connect(server)
        await asyncio.wait_for(sender.wait_closed(), 1)
    await server.stop()
    assert calls == 2
    assert "the viewer's bug" in caplog.text


async def test_stopping_the_server_ends_its_sessions_cleanly() -> None:
    consumer = Consumer()
    async with serving(consumer) as server:
        sender = await connect(server)
        assert await until(lambda: bool(consumer.receivers), 1)
    assert consumer.ends[0][1] == "closed here"
    assert "goodbye" in await asyncio.wait_for(sender.wait_closed(), 1)


async def test_a_body_that_is_cut_off_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Consumer()) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"POST /whip HTTP/1.1\r\nHost: v\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 100\r\n\r\nv=0"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.1)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_body_in_a_broken_encoding_is_refused(http: aiohttp.ClientSession) -> None:
    async with serving(Consumer()) as server:
        headers = {"Content-Type": "application/sdp", "Content-Encoding": "gzip"}
        url = f"http://127.0.0.1:{server.port}/whip"
        async with http.post(url, data=b"v=0", headers=headers) as reply:
            assert reply.status == 400
            assert "not encoded" in await reply.text()
