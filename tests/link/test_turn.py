"""Media through a real TURN server (Debian's coturn), guarded as on every other path."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
from aiortc.rtp import AnyRtcpPacket, RtpPacket

from link.ice_servers import IceServer
from link.transport import MediaTransport

needs_coturn = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn is not installed (apt install coturn)"
)


class Arrivals:
    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None:
        self.packets.append(packet)

    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None: ...
    def on_closed(self, reason: str) -> None: ...


@pytest.fixture
async def turn_server() -> AsyncIterator[IceServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = "-n --listening-ip 127.0.0.1 --relay-ip 127.0.0.1 --allow-loopback-peers -r denc"
    options += f" --listening-port {port} -u user:pass --lt-cred-mech --no-tls --no-dtls --no-cli"
    process = await asyncio.create_subprocess_exec(
        "turnserver",
        *options.split(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    yield IceServer("turn", "127.0.0.1", port, "udp", "user", "pass")
    process.kill()
    await process.wait()


@needs_coturn
async def test_media_passes_a_turn_server_and_its_guard(turn_server: IceServer) -> None:
    for _ in range(20):
        ours = MediaTransport(controlling=True, loopback=True, ice_servers=[turn_server])
        offer = await ours.gather()
        relays = tuple(item for item in offer.candidates if item.type == "relay")
        if relays:
            break
        await ours.close()  # the server is still starting
        await asyncio.sleep(0.2)
    for protocol in ours._connection._protocols:
        if protocol.local_candidate.type != "relay":  # no other way than through the server
            protocol.send_stun = lambda message, address: None
    theirs = MediaTransport(controlling=False, loopback=True)
    arrivals = Arrivals()
    ours.attach(Arrivals())
    theirs.attach(arrivals)
    answer = theirs.answer(await theirs.gather(), offer)
    await asyncio.gather(
        ours.connect(answer, "server" if answer.dtls.role == "client" else "client", 10),
        theirs.connect(replace(offer, candidates=relays), answer.dtls.role, 10),
    )
    for number in range(5):
        packet = RtpPacket(payload_type=96, sequence_number=number, ssrc=1, payload=b"x" * 100)
        await ours.send(packet.serialize())
    assert await theirs.is_alive(2)
    assert len(arrivals.packets) == 5
    await ours.close()
    await theirs.close()
