"""FFmpeg's WHIP muxer as a publisher: `python pyav_publish.py URL TOKEN IDENTITY`.

It knows H.264 alone. IDENTITY is a PEM file with a P-256 key and its certificate. A process of its
own, because the muxer waits without a limit of its own.
"""

from __future__ import annotations

import sys
from fractions import Fraction

import av
import numpy as np

FPS, FRAMES = 25, 25


def publish(url: str, token: str, identity: str) -> None:
    """Raises av.FFmpegError when the endpoint says no."""
    options = {"authorization": token, "cert_file": identity, "key_file": identity}
    with av.open(url, "w", format="whip", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
        stream.codec_context.time_base = Fraction(1, FPS)
        for number in range(FRAMES):
            grey = np.full((288, 320), 16 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))


if __name__ == "__main__":
    publish(*sys.argv[1:])
