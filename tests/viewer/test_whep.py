"""WHEP: the restored video to players, stock aiortc standing for them."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import av
import numpy as np
import pytest
from live_player import SDP, Player, moving, site
from made_pictures import shown

from viewer.sinks import live_peer, whep
from viewer.sinks.h264 import KEY_INTERVAL_MS, H264Encoder
from viewer.sinks.live_video import TRACK_MAX


async def test_a_player_gets_the_restored_pictures() -> None:
    async with site() as served:
        player = Player()
        with moving(served):
            status, _, location = await player.watch(served.url)
            assert (status, location.startswith("/whep/")) == (201, True)
            pictures = [await asyncio.wait_for(player.track.recv(), 10) for _ in range(5)]
        await player.connection.close()
    got = pictures[-1].to_ndarray(format="yuv420p")[:112].astype(float)
    errors = [np.abs(got - shown(n).frame.planes.y).mean() for n in range(400)]
    assert min(errors) < 3
    steps = np.diff([picture.pts for picture in pictures])
    assert set(steps) == {3600}  # 40 ms of capture time, however late they were shown


async def test_nothing_is_encoded_while_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    monkeypatch.setattr(H264Encoder, "encode", lambda self, picture, *, key: encoded.append(1))
    async with site() as served:
        for number in range(5):
            served.video.show(shown(number))
    assert encoded == []


async def test_a_watcher_that_does_not_read_holds_nobody_up_and_goes_on_with_an_idr() -> None:
    async with site() as served:
        slow, quick = served.video.watch(), served.video.watch()
        started = time.monotonic()
        for number in range(3 * TRACK_MAX):
            await asyncio.to_thread(served.video.show, shown(number))
            await asyncio.sleep(0)
            await asyncio.wait_for(quick.recv(), 5)
        assert time.monotonic() - started < 20
        packets = [await asyncio.wait_for(slow.recv(), 5) for _ in range(2)]
        assert packets[0].is_keyframe
        assert 0 < packets[0].pts < 40 * 3 * TRACK_MAX
        slow.stop()
        quick.stop()
        assert served.figures.snapshot()["watchers"] == 0


async def test_a_second_player_begins_with_an_idr_of_the_same_stream() -> None:
    async with site() as served:
        first = served.video.watch()
        for number in range(3):
            await asyncio.to_thread(served.video.show, shown(number))
        await asyncio.sleep(0)
        second = served.video.watch()
        await asyncio.to_thread(served.video.show, shown(3))
        await asyncio.sleep(0)
        of_first = [await asyncio.wait_for(first.recv(), 5) for _ in range(4)]
        of_second = await asyncio.wait_for(second.recv(), 5)
        assert [packet.is_keyframe for packet in of_first] == [True, False, False, True]
        assert of_second is of_first[-1]


def test_idrs_come_every_two_seconds_and_with_a_new_size() -> None:
    encoder = H264Encoder()
    keys = []
    for number in range(60):
        packet = encoder.encode(shown(number, width=192 if number < 55 else 65), key=False)
        assert packet is not None
        keys += [number] * packet.is_keyframe
        assert b"\x00\x00\x01\x67" not in bytes(packet) or packet.is_keyframe
    assert keys == [0, KEY_INTERVAL_MS // 40, 55]


def test_a_picture_full_of_detail_gets_the_bits_that_it_needs() -> None:
    """An encoder that takes milliseconds for frames leaves each a hundredth of its bits."""
    encoder, decoder = H264Encoder(), av.CodecContext.create("h264", "r")
    grain = np.random.default_rng(1).normal(0, 12, (360, 640))
    for number in range(12):
        picture = shown(number, width=640, height=360)
        planes = picture.frame.planes
        planes.y[:] = np.clip(planes.y + grain, 16, 235).astype(np.uint8)
        packet = encoder.encode(picture, key=False)
        assert packet is not None
        [decoded] = decoder.decode(packet)
    error = decoded.to_ndarray()[:360].astype(float) - planes.y
    assert 10 * np.log10(255**2 / (error**2).mean()) > 30


async def test_loss_that_is_reported_is_answered_with_an_idr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_peer, "LOOK_INTERVAL_S", 0.02)
    async with site() as served:
        player = Player()
        with moving(served):
            await player.watch(served.url)
            await asyncio.wait_for(player.track.recv(), 10)
            [peer] = served.whep._sessions.values()
            wanted = asyncio.Event()
            monkeypatch.setattr(served.video, "want_key", wanted.set)

            class Report:
                type, packetsLost = "remote-inbound-rtp", 3  # noqa: N815 - W3C's name

            async def reported() -> dict[str, Report]:
                return {"remote": Report()}

            monkeypatch.setattr(peer._connection, "getStats", reported)
            await asyncio.wait_for(wanted.wait(), 5)
        await player.connection.close()


async def test_one_player_more_than_there_are_places_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whep, "MAX_SESSIONS", 1)
    async with site() as served:
        players = [Player() for _ in range(3)]
        _, _, location = await players[0].watch(served.url)
        status, body, _ = await players[1].watch(served.url)
        assert (status, "1 of 1" in body) == (503, True)
        async with aiohttp.ClientSession() as http:
            async with http.delete(served.url + location) as response:
                assert response.status == 200
            async with http.delete(served.url + location) as response:
                assert response.status == 404
        assert (await players[2].watch(served.url))[0] == 201
        for player in players:
            await player.connection.close()


async def join_and_go(url: str) -> None:
    """A player that gets an answer and never connects."""
    player = Player()
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/whep", data=await player.offer(), headers=SDP) as response,
    ):
        assert response.status == 201
    await player.connection.close()


async def test_a_player_that_never_connects_leaves_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_peer, "CONNECT_TIMEOUT_S", 0.1)
    async with site() as served:
        await join_and_go(served.url)
        for _ in range(100):
            if served.figures.snapshot()["watchers"] == 0:  # closed, as the last thing
                break
            await asyncio.sleep(0.05)
        assert not served.whep._sessions
        assert served.figures.snapshot()["watchers"] == 0


async def test_a_session_that_is_being_ended_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    async def slowly(peer: live_peer.LivePeer) -> None:
        await asyncio.sleep(0.2)
        await close(peer)
        closed.append(peer)

    close = live_peer.LivePeer.close
    monkeypatch.setattr(live_peer.LivePeer, "close", slowly)
    monkeypatch.setattr(live_peer, "CONNECT_TIMEOUT_S", 0.05)
    async with site() as served:
        await join_and_go(served.url)
        for _ in range(500):
            if not served.whep._sessions:
                break
            await asyncio.sleep(0.01)
        await served.whep.stop()
        assert len(closed) == 1


async def test_nothing_is_received_from_a_player() -> None:
    """aiortc's queues of what is received have no bound."""
    async with site() as served:
        player = Player()
        player.connection.addTransceiver("audio", direction="sendrecv")
        with moving(served):
            status, answer, _ = await player.watch(served.url)
            assert status == 201
            await asyncio.wait_for(player.track.recv(), 10)
        assert (answer.count("a=sendonly"), answer.count("a=inactive")) == (1, 1)
        await player.connection.close()


async def offer_of(kind: str) -> str:
    player = Player()
    offer = await player.offer()
    await player.connection.close()
    if kind == "without H.264":
        return offer.replace("H264", "H999")
    if kind == "many candidates":
        return offer + "a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n" * 100
    if kind == "many media":
        return offer + offer[offer.index("m=video") :] * 2
    if kind == "data channels":
        return offer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    return kind


@pytest.mark.parametrize(
    ("kind", "content_type", "status"),
    [
        ("", "application/sdp", 400),
        ("hello", "application/sdp", 400),
        ("v=0\r\n", "application/sdp", 422),
        ("v=0\r\nm=video\r\n", "application/sdp", 422),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF x\r\n", "application/sdp", 422),
        ("v=0\r\n" + "a" * (1 << 17), "application/sdp", 413),
        ("without H.264", "application/sdp", 422),
        ("many candidates", "application/sdp", 422),
        ("many media", "application/sdp", 422),
        ("data channels", "application/sdp", 422),
        ("{}", "application/json", 415),
    ],
)
async def test_what_is_no_offer_for_us_is_refused_and_leaves_nothing(
    kind: str, content_type: str, status: int
) -> None:
    body = await offer_of(kind)
    async with (
        site() as served,
        aiohttp.ClientSession() as http,
        http.post(
            f"{served.url}/whep", data=body, headers={"Content-Type": content_type}
        ) as response,
    ):
        assert (response.status, response.content_type) == (status, "text/plain")
        assert "video_bits_per_s" not in served.figures.snapshot()
        assert not served.whep._sessions


async def test_a_browsers_hidden_address_is_that_of_its_request() -> None:
    line = "a=candidate:1 1 udp 2 8bd1e0a1-0000-4000-8000-0123456789ab.local 50000 typ host"
    assert (
        live_peer.with_address(line, "192.0.2.7")
        == "a=candidate:1 1 udp 2 192.0.2.7 50000 typ host"
    )
