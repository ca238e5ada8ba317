"""Datagrams through the relay: what the model says happens to them, on time and in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.net.direction import Direction, monotonic_us
from tests.net.flow import Flow
from tests.net.knobs import Knobs
from tests.net.link_model import HEADER_BYTES, Drop, LinkModel, Passage
from tests.net.place import LOCALHOST
from tests.net.relay import Relay
from tests.net.schedule import CLEAN, Schedule

ON_TIME_US = 100_000  # a busy machine is late, never early


@dataclass
class Client(asyncio.DatagramProtocol):
    """Keeps what comes back."""

    got: list[tuple[int, bytes]] = field(default_factory=list)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.got.append((monotonic_us(), data))


class Echo(asyncio.DatagramProtocol):
    """A server that answers each datagram with itself."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


async def round_trips(
    up: Schedule, down: Schedule, count: int, patience_s: float = 3.0
) -> tuple[Client, int, Relay]:
    """Numbered datagrams to an echo and back; the client, when they left, and the relay."""
    loop, client = asyncio.get_running_loop(), Client()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=(LOCALHOST, 0))
    relay = Relay(
        Direction(LinkModel(up, 1)),
        Direction(LinkModel(down, 2)),
        server.get_extra_info("sockname"),
    )
    port = await relay.open()
    ours, _ = await loop.create_datagram_endpoint(lambda: client, remote_addr=(LOCALHOST, port))
    left_us = monotonic_us()
    for number in range(count):
        ours.sendto(number.to_bytes(2, "big"))
    for _ in range(round(patience_s / 0.01)):
        if len(client.got) >= count:
            break
        await asyncio.sleep(0.01)
    for transport in (ours, server):
        transport.close()
    relay.close()
    return client, left_us, relay


async def test_a_clean_link_hands_on_everything_in_order() -> None:
    client, _, _ = await round_trips(CLEAN, CLEAN, 100)
    assert [int.from_bytes(data, "big") for _, data in client.got] == list(range(100))


async def test_delays_of_both_directions_add_up_and_keep_the_order() -> None:
    there, back = Knobs(queue_delay_ms=120), Knobs(queue_delay_ms=80)
    client, left_us, _ = await round_trips(Schedule.steady(there), Schedule.steady(back), 50)
    assert [int.from_bytes(data, "big") for _, data in client.got] == list(range(50))
    delays = [time_us - left_us for time_us, _ in client.got]
    assert min(delays) >= 200_000
    assert min(delays) <= 200_000 + ON_TIME_US


async def test_a_dark_direction_lets_nothing_back() -> None:
    client, _, relay = await round_trips(CLEAN, Schedule.steady(Knobs(blackout=True)), 5, 0.2)
    assert client.got == []
    relay.close()  # again


def test_flow_sums_what_passed_in_slots_of_a_tenth_of_a_second() -> None:
    flow = Flow()
    flow.add(72, 1_000_000, Passage((1_150_000,), 20_000, 3))
    flow.add(72, 1_050_000, Passage((1_160_000, 1_160_000), 30_000, 4))
    flow.add(72, 1_120_000, Passage((), 0, 5, Drop.QUEUE))
    flow.add(72, 1_350_000, Passage((), 0, 0, Drop.LOSS))
    first, second, third, fourth = flow.slots
    assert (first.sent, first.sent_bytes, first.queue_packets) == (2, 2 * (72 + HEADER_BYTES), 4)
    assert first.queue_ms == 30
    assert (second.delivered, second.delivered_bytes, second.overflowed) == (3, 300, 1)
    assert third.sent == 0
    assert fourth.lost == 1
    assert list(flow.between(1_100_000, 1_300_000)) == [second, third]
    assert list(flow.between(0, 900_000)) == []


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_direction_delivers_nothing_after_it_is_closed(seed: int) -> None:
    direction = Direction(LinkModel(Schedule.steady(Knobs(queue_delay_ms=20)), seed))
    got: list[bytes] = []
    direction.carry(b"late", got.append)
    direction.close()
    await asyncio.sleep(0.05)
    assert got == []
