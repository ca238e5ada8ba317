"""The stock peer's receiving end: `python -m tests.net.aiortc_receiver PORT LOG`.

A WHIP endpoint with an RTCPeerConnection behind it. The log has one line a picture that came out
of its track with a readable number: frame_number,shown_us.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO

import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.net.aiortc_loopback import stay_on_loopback
from tests.net.place import LOCALHOST
from tests.net.time_code import read


async def serve(port: int, log: Path) -> None:
    """Takes publishers until the process is ended."""
    connections: list[RTCPeerConnection] = []
    viewing: set[asyncio.Task[None]] = set()
    file = log.open("w", buffering=1, encoding="utf-8")
    file.write("frame_number,shown_us\n")

    async def post(request: web.Request) -> web.Response:
        connection = RTCPeerConnection()
        connections.append(connection)

        def on_track(track: MediaStreamTrack) -> None:
            task = asyncio.ensure_future(view(track, file))
            viewing.add(task)
            task.add_done_callback(viewing.discard)

        connection.on("track", on_track)
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return web.Response(
            status=201,
            text=connection.localDescription.sdp,
            content_type="application/sdp",
            headers={"Location": "/whip/1"},
        )

    app = web.Application()
    app.router.add_post("/whip", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOCALHOST, port).start()
    await asyncio.Event().wait()


async def view(track: MediaStreamTrack, file: TextIO) -> None:
    """Logs the pictures of a track as they come out of the decoder."""
    try:
        while True:
            picture = await track.recv()
            shown_us = time.time_ns() // 1000
            assert isinstance(picture, av.VideoFrame)
            plane = picture.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            number = read(rows[: picture.height, : picture.width])
            if number is not None:
                file.write(f"{number},{shown_us}\n")
    except MediaStreamError:
        return  # the end


if __name__ == "__main__":
    stay_on_loopback()
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
