"""A WhipServer and a published sender in one event loop, and what the server received."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from link.access_unit import AccessUnit
from link.errors import SessionEnded
from link.nal import split_annexb
from link.rate_limit import Rate
from link.receiver import MediaReceiver
from link.sender import MediaSender
from link.whip_client import publish
from link.whip_door import Gate, Limits
from link.whip_server import WhipServer
from tests.net.emulated_link import EmulatedLink

OUR_NETWORK, THEIR_NETWORK = b"sender-1", b"viewer-1"


@dataclass
class Consumer:
    """Takes access units as a viewer does; remembers when and why each session ended."""

    units: list[AccessUnit] = field(default_factory=list)
    receivers: list[MediaReceiver] = field(default_factory=list)
    ends: list[tuple[float, str]] = field(default_factory=list)

    async def __call__(self, receiver: MediaReceiver) -> None:
        self.receivers.append(receiver)
        try:
            while True:
                self.units.append(await receiver.receive())
        except SessionEnded as end:
            self.ends.append((time.monotonic(), end.reason))

    def nals(self) -> list[list[bytes]]:
        return [split_annexb(unit.data) for unit in self.units]


@dataclass
class Irap:
    """Counts the requests for an IRAP, as the streamer would get them."""

    requests: int = 0

    def __call__(self) -> None:
        self.requests += 1


@asynccontextmanager
async def serving(
    consumer: Consumer,
    *,
    token: str | None = None,
    max_sessions: int = 1,
    gate: Gate | None = None,
) -> AsyncIterator[WhipServer]:
    server = WhipServer(
        host="127.0.0.1",
        port=0,
        token=token,
        network_ids=[THEIR_NETWORK],
        on_session=consumer,
        max_sessions=max_sessions,
        gate=gate,
        limits=Limits(Rate(10_000, 10_000), Rate(10_000, 10_000)),  # tests are in a hurry
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def connect(
    where: WhipServer | EmulatedLink,
    *,
    token: str | None = None,
    irap: Callable[[], None] | None = None,
) -> MediaSender:
    url = f"http://127.0.0.1:{where.port}/whip" if isinstance(where, WhipServer) else where.url
    return await publish(
        url, token=token, network_ids=[OUR_NETWORK], on_irap_request=irap or Irap(), timeout_s=5
    )


async def send_all(sender: MediaSender, units: Sequence[AccessUnit], interval_s: float) -> None:
    """Sends one after the other; after a stall of the machine it does not catch up in a burst."""
    for unit in units:
        sender.send(unit)
        await asyncio.sleep(interval_s)


async def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Waits for a condition, at most `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110 - polls counters
        await asyncio.sleep(0.01)
    return condition()


async def resources() -> tuple[int, int]:
    """Tasks and file descriptors, once what is being closed is closed."""
    await asyncio.sleep(0.1)
    gc.collect()
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
