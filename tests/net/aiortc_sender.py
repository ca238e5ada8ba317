"""The stock peer's sending end: `python -m tests.net.aiortc_sender URL WxH FPS LOG`.

An RTCPeerConnection with H.264 and aiortc's own congestion control, publishing by WHIP. The log
has one line a frame: frame_number,captured_us.
"""

from __future__ import annotations

import asyncio
import sys
from fractions import Fraction
from pathlib import Path

import aiohttp
import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from streamer.sources.open import DEMO, open_source
from tests.net.aiortc_loopback import stay_on_loopback
from tests.net.time_code import draw

RTP_CLOCK_HZ = 90_000


class SceneTrack(MediaStreamTrack):
    """The built-in scene in real time, each frame with its number drawn into it."""

    kind = "video"

    def __init__(self, size: tuple[int, int], fps: float, log: Path) -> None:
        super().__init__()
        self._source = open_source(DEMO, size, fps)
        self._log = log.open("w", buffering=1, encoding="utf-8")
        self._log.write("frame_number,captured_us\n")
        self._first_us: int | None = None

    async def recv(self) -> av.VideoFrame:
        """The next frame, waiting for its time."""
        frame = await asyncio.to_thread(self._source.read)
        assert frame is not None  # the scene never ends
        luma = frame.planes.y.copy()
        draw(luma, frame.number)
        picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
        for plane, values in zip(
            picture.planes, (luma, frame.planes.u, frame.planes.v), strict=True
        ):
            rows = np.zeros((values.shape[0], plane.line_size), np.uint8)
            rows[:, : values.shape[1]] = values
            plane.update(rows.tobytes())
        if self._first_us is None:
            self._first_us = frame.captured_us
        picture.pts = (frame.captured_us - self._first_us) * (RTP_CLOCK_HZ // 1000) // 1000
        picture.time_base = Fraction(1, RTP_CLOCK_HZ)
        self._log.write(f"{frame.number},{frame.captured_us}\n")
        return picture


async def publish(url: str, size: tuple[int, int], fps: float, log: Path) -> None:
    """Sends until the process is ended."""
    connection = RTCPeerConnection()
    connection.addTrack(SceneTrack(size, fps, log))
    codecs = RTCRtpSender.getCapabilities("video").codecs
    h264 = [codec for codec in codecs if codec.mimeType.lower() == "video/h264"]
    connection.getTransceivers()[0].setCodecPreferences(h264)
    await connection.setLocalDescription(await connection.createOffer())
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            url,
            data=connection.localDescription.sdp.encode(),
            headers={"Content-Type": "application/sdp"},
        ) as response,
    ):
        response.raise_for_status()
        answer = await response.text()
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.Event().wait()


if __name__ == "__main__":
    stay_on_loopback()
    _url, _size, _fps, _log = sys.argv[1:]
    _width, _height = map(int, _size.split("x"))
    asyncio.run(publish(_url, (_width, _height), float(_fps), Path(_log)))
