"""Publishing to a real SFU: Janus, through simple-whip-server."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import av
import numpy as np
import pytest
from janus import janus, whip_server
from live_player import moving, site
from made_pictures import shown
from test_publish import publishing, state

from viewer.sinks.publish import PUBLISHING, WAITING

SERVER = whip_server()
pytestmark = pytest.mark.skipif(SERVER is None, reason="no janus with simple-whip-server here")


async def test_janus_gets_the_restored_video(tmp_path: Path) -> None:
    assert SERVER is not None
    async with janus(SERVER, tmp_path, "secret") as room, site() as served:
        with moving(served):
            async with publishing(room.url, served.video, served.figures, "wrong"):
                await state(served.figures, WAITING)
                assert await room.publishers() == []
            async with publishing(room.url, served.video, served.figures, "secret"):
                await state(served.figures, PUBLISHING)
                [publisher] = await room.publishers()
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
                    port.bind(("127.0.0.1", 0))
                    port.setblocking(False)
                    await room.forward(publisher["id"], port.getsockname()[1])
                    picture = await first_picture(port)
            for _ in range(100):
                if not await room.publishers():
                    break
                await asyncio.sleep(0.1)
            assert await room.publishers() == []  # our DELETE reached it
    errors = [np.abs(picture - shown(n).frame.planes.y).mean() for n in range(400)]
    assert min(errors) < 3


async def first_picture(port: socket.socket) -> np.ndarray:  # type: ignore[type-arg]
    """The first picture that decodes of the H.264 in RTP (RFC 6184) that comes at a port."""
    from aiortc.codecs.h264 import H264PayloadDescriptor
    from aiortc.rtp import RtpPacket

    decoder = av.CodecContext.create("h264", "r")
    unit, timestamp = b"", None
    loop = asyncio.get_running_loop()
    for _ in range(2000):
        packet = RtpPacket.parse(await asyncio.wait_for(loop.sock_recv(port, 2048), 10))
        if timestamp not in (None, packet.timestamp) and unit:
            try:
                pictures = decoder.decode(av.Packet(unit))
            except av.FFmpegError:  # until an IDR comes
                pictures = []
            if pictures:
                return pictures[0].to_ndarray()[:112].astype(float)
            unit = b""
        timestamp = packet.timestamp
        if packet.payload:
            unit += H264PayloadDescriptor.parse(packet.payload)[1]
    raise AssertionError("no picture came")
