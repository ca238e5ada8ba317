"""Whole sessions: WHIP, ICE, DTLS, SRTP and the media plane, sender and receiver in one loop."""

import asyncio
import os
import socket
import time

import pytest
import uvloop
from h265 import access_units
from pair import (
    OUR_NETWORK,
    THEIR_NETWORK,
    Consumer,
    Irap,
    connect,
    resources,
    send_all,
    serving,
    until,
)

from link.access_unit import AccessUnit
from link.nal import split_annexb
from tests.net.attack import HOSTILE
from tests.net.emulated_link import EmulatedLink
from tests.net.knobs import Knobs
from tests.net.schedule import Phase, Schedule

NOTICED_WITHIN_S = 3.0


async def clean_path(count: int) -> None:
    units = access_units(count)
    consumer, irap = Consumer(), Irap()
    async with serving(consumer) as server:
        sender = await connect(server, irap=irap)
        assert sender.peer_network_ids == (THEIR_NETWORK,)
        await send_all(sender, units, 0.005)
        assert await until(lambda: len(consumer.units) == count, 2), (
            f"{sender.stats()}, {consumer.receivers[0].stats()}"
        )
        stats = sender.stats()
        await sender.close()
        assert await sender.wait_closed() == "closed here"
        assert await until(lambda: bool(consumer.ends), 1)
    assert irap.requests == 1
    assert consumer.receivers[0].peer_network_ids == (OUR_NETWORK,)
    assert consumer.nals() == [split_annexb(unit.data) for unit in units]
    assert [unit.rtp_timestamp for unit in consumer.units] == [u.rtp_timestamp for u in units]
    assert [unit.irap for unit in consumer.units] == [unit.irap for unit in units]
    assert not any(unit.gap_before for unit in consumer.units)
    assert stats.units_dropped == stats.packets_retransmitted == 0
    assert consumer.receivers[0].stats().units_lost == 0


async def test_clean_path_gives_every_unit_bit_identical_and_in_order() -> None:
    await clean_path(300)


def test_the_same_under_uvloop_which_the_daemons_use() -> None:
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(clean_path(50))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


async def test_the_goodbye_of_the_sender_ends_the_session_at_once() -> None:
    consumer = Consumer()
    async with serving(consumer) as server:
        sender = await connect(server)
        assert await until(lambda: bool(consumer.receivers), 1)
        begin = time.monotonic()
        await sender.close()
        assert await until(lambda: bool(consumer.ends), 1)
        assert consumer.ends[0][0] - begin < 0.3
        assert consumer.ends[0][1] in ("the sender said goodbye", "the sender ended the session")


async def test_the_goodbye_of_the_receiver_ends_the_sender_at_once() -> None:
    consumer = Consumer()
    async with serving(consumer) as server:
        sender = await connect(server)
        assert await until(lambda: bool(consumer.receivers), 1)
        await consumer.receivers[0].close()
        assert await asyncio.wait_for(sender.wait_closed(), 0.5) in (
            "the receiver said goodbye",
            "the peer closed the connection",
        )
        assert not sender.send(access_units(1)[0])


async def test_lost_reordered_and_doubled_datagrams_cost_few_units() -> None:
    seed, units = 7, access_units(200)
    consumer, irap = Consumer(), Irap()
    async with serving(consumer) as server, EmulatedLink(server.port, seed) as link:
        sender = await connect(link, irap=irap)
        link.set_knobs(Knobs(loss_percent=5, reorder_percent=3, duplicate_percent=1))
        await send_all(sender, units, 0.01)
        await asyncio.sleep(0.5)
        stats = sender.stats()
        await sender.close()
    sent = [split_annexb(unit.data) for unit in units]
    got = consumer.nals()
    assert len(got) >= 0.97 * len(units), f"seed {seed}: {len(got)} of {len(units)}"
    places = [sent.index(nals) for nals in got]  # raises for a damaged one
    assert places == sorted(set(places)), f"seed {seed}"
    assert stats.nacks > 0
    assert stats.packets_retransmitted > 0
    assert consumer.receivers[0].stats().packets_recovered > 0


@pytest.mark.parametrize("setup", ["actpass", "active", "passive"])
async def test_every_dtls_role_of_an_offer_leads_to_a_session(setup: str) -> None:
    consumer = Consumer()
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        link.rewrite_offer = lambda offer: offer.replace("setup:actpass", f"setup:{setup}")
        sender = await connect(link)
        await send_all(sender, access_units(3), 0.01)
        assert await until(lambda: len(consumer.units) == 3, 1)
        await sender.close()


def without_rtx(offer: str) -> str:
    lines = [
        line for line in offer.splitlines() if not line.startswith(("a=rtpmap:97", "a=fmtp:97"))
    ]
    return "\r\n".join(line.removesuffix(" 97") for line in lines) + "\r\n"


async def test_a_peer_without_rtx_gets_lost_packets_as_they_were() -> None:
    consumer = Consumer()
    units = access_units(60)
    async with serving(consumer) as server, EmulatedLink(server.port, 3) as link:
        link.rewrite_offer = without_rtx
        sender = await connect(link)
        link.set_knobs(Knobs(loss_percent=10))
        await send_all(sender, units, 0.02)
        link.set_knobs(Knobs())
        assert await until(lambda: len(consumer.units) >= 58, 1), f"{len(consumer.units)} of 60"
        assert sender.stats().packets_retransmitted > 0
        assert consumer.receivers[0].stats().packets_recovered > 0
        await sender.close()


def without_transport_feedback(offer: str) -> str:
    return "\r\n".join(line for line in offer.splitlines() if "transport-" not in line) + "\r\n"


async def test_ends_without_transport_feedback_speak_remb() -> None:
    consumer = Consumer()
    async with serving(consumer) as server, EmulatedLink(server.port, 3) as link:
        link.rewrite_offer = without_transport_feedback
        sender = await connect(link)
        sender.set_max_bitrate(2_000_000)
        for _ in range(10):
            await send_all(sender, access_units(60), 0.02)
            if sender.stats().remb_bps is not None:
                break
        stats = sender.stats()
        assert stats.remb_bps is not None
        assert stats.target_bps is not None
        assert 30_000 <= stats.target_bps <= stats.remb_bps
        await sender.close()


async def test_a_lost_irap_is_asked_for_again() -> None:
    consumer, irap = Consumer(), Irap()
    units = access_units(60, keyframe_interval=20)
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        sender = await connect(link, irap=irap)
        await send_all(sender, units[:10], 0.01)
        assert await until(lambda: len(consumer.units) == 10, 1)
        before = irap.requests
        link.set_knobs(Knobs(loss_percent=100))
        await send_all(sender, units[10:21], 0.05)
        link.set_knobs(Knobs())
        # P pictures whose IRAP is lost: the receiver has to ask until it gets one
        await send_all(sender, units[21:40], 0.05)
        assert await until(lambda: irap.requests > before, 1)
        assert sender.stats().plis > 0
        await send_all(sender, units[40:], 0.01)
        assert await until(lambda: consumer.nals()[-1] == split_annexb(units[-1].data), 1)
        assert any(unit.gap_before for unit in consumer.units)
        await sender.close()


async def test_a_dead_peer_is_noticed_on_both_ends_and_the_reconnect_works() -> None:
    consumer = Consumer()
    units = access_units(20)
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        sender = await connect(link)
        await send_all(sender, units, 0.01)
        link.set_knobs(Knobs(blackout=True))
        begin = time.monotonic()
        reason = await asyncio.wait_for(sender.wait_closed(), NOTICED_WITHIN_S)
        assert "no sign of the peer" in reason
        left = NOTICED_WITHIN_S - (time.monotonic() - begin)
        assert await until(lambda: bool(consumer.ends), left)
        assert "no sign of the peer" in consumer.ends[0][1]
        consumer.units.clear()
        again = await connect(server)
        await send_all(again, units, 0.01)
        assert await until(lambda: len(consumer.units) == len(units), 1)
        await again.close()


async def test_a_reconnect_takes_over_from_a_session_whose_peer_is_gone() -> None:
    consumer = Consumer()
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        first = await connect(link)
        assert await until(lambda: len(consumer.receivers) == 1, 1)
        link.set_knobs(Knobs(blackout=True))
        begin = time.monotonic()
        second = await connect(server)
        assert time.monotonic() - begin < 2
        assert "took over" in consumer.ends[0][1]
        await asyncio.gather(first.close(), second.close())


@pytest.mark.parametrize("dark_s", [0.5, 2.0])
async def test_a_blackout_is_survived_and_ends_with_an_irap(dark_s: float) -> None:
    consumer, irap = Consumer(), Irap()
    units = access_units(200, keyframe_interval=10)
    blackout = Schedule((Phase(dark_s, Knobs(blackout=True)), Phase(1, Knobs())))
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        sender = await connect(link, irap=irap)
        await send_all(sender, units[:20], 0.02)
        assert await until(lambda: len(consumer.units) == 20, 1)
        link.set_schedule(blackout)
        link.begin()
        sending = asyncio.ensure_future(send_all(sender, units[20:], 0.04))
        await asyncio.sleep(dark_s)
        count = len(consumer.units)
        assert await until(lambda: len(consumer.units) > count, 1)
        # what the send history still held may come first; then an IRAP to go on from
        assert await until(lambda: any(unit.irap for unit in consumer.units[20:]), 1)
        sending.cancel()
        await sender.close()
        assert len(consumer.receivers) == 1


async def test_reordered_and_doubled_datagrams_change_no_bit() -> None:
    seed, units = 5, access_units(200)
    consumer = Consumer()
    # a packet or two every 10 ms: up to 20 of them overtake a late one
    bad = Knobs(reorder_percent=5, reorder_delay_ms=120, duplicate_percent=1)
    async with serving(consumer) as server, EmulatedLink(server.port, seed) as link:
        sender = await connect(link)
        link.set_knobs(bad)
        await send_all(sender, units, 0.01)
        assert await until(lambda: len(consumer.units) == len(units), 2), f"seed {seed}"
        await sender.close()
    assert consumer.nals() == [split_annexb(unit.data) for unit in units], f"seed {seed}"
    assert not any(unit.gap_before for unit in consumer.units)


async def test_hostile_datagrams_at_the_media_port_end_nothing() -> None:
    consumer = Consumer()
    units = access_units(40)
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        sender = await connect(link)
        assert await until(lambda: bool(consumer.receivers), 1)
        server_address = link.server_side.get_extra_info("peername")
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # asyncio swallows empty datagrams on their way out: a copy of the relay's socket does not
        peer = socket.socket(fileno=os.dup(link.server_side.get_extra_info("socket").fileno()))
        for unit in units:
            sender.send(unit)
            for hostile in HOSTILE:
                stranger.sendto(hostile, server_address)
                stranger.sendto(hostile, link.client_address)
                peer.send(hostile)
            await asyncio.sleep(0.01)
        assert await until(lambda: len(consumer.units) == len(units), 1)
        assert not consumer.ends
        assert consumer.receivers[0].stats().datagrams_refused > 40 * len(HOSTILE)
        assert sender.stats().datagrams_refused > 40 * len(HOSTILE) / 2
        stranger.close()
        peer.close()
        await sender.close()


async def test_a_flood_of_garbage_costs_no_unit() -> None:
    consumer = Consumer()
    units = access_units(25)
    async with serving(consumer) as server, EmulatedLink(server.port, 1) as link:
        sender = await connect(link)
        assert await until(lambda: bool(consumer.receivers), 1)
        address = link.server_side.get_extra_info("peername")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for unit in units:
                sender.send(unit)
                for _ in range(400):  # 10,000 a second
                    stranger.sendto(b"\x80\x60" + bytes(100), address)
                await asyncio.sleep(0.04)
        assert await until(lambda: len(consumer.units) == len(units), 1)
        await sender.close()


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"garbage", b"\0\0\0\1\x62\1x"])
async def test_what_is_no_access_unit_is_dropped_and_the_stream_goes_on(data: bytes) -> None:
    consumer = Consumer()
    units = access_units(5)
    async with serving(consumer) as server:
        sender = await connect(server)
        sender.send(AccessUnit(data, 0, True))
        await send_all(sender, units, 0.01)
        assert await until(lambda: len(consumer.units) == len(units), 1)
        assert sender.stats().units_dropped == 1
        await sender.close()


async def test_a_full_queue_drops_and_asks_for_an_irap() -> None:
    consumer, irap = Consumer(), Irap()
    units = access_units(60)
    async with serving(consumer) as server:
        sender = await connect(server, irap=irap)
        sender.set_max_bitrate(200_000)
        taken = [sender.send(unit) for unit in units]
        assert not all(taken)
        assert sender.stats().units_dropped >= taken.count(False)
        assert irap.requests >= 1
        await sender.close()


async def test_fifty_sessions_leave_no_task_and_no_descriptor_behind() -> None:
    consumer = Consumer()
    unit = access_units(1)[0]
    async with serving(consumer) as server:
        before: tuple[int, int] | None = None
        for number in range(50):
            sender = await connect(server)
            sender.send(unit)
            assert await until(lambda: len(consumer.units) == number + 1, 1)  # noqa: B023
            await sender.close()
            if number == 4:
                before = await resources()
        assert await resources() <= before
