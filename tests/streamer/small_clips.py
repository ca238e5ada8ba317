"""Small pictures and files for the streamer's tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from engines.frame import Frame, Planes, planes_to_video_frame

W, H = 128, 96


def planes(number: int, width: int = W, height: int = H) -> Planes:
    """A moving texture with something to code in it."""
    y, x = np.mgrid[:height, :width]
    luma = 110 + 60 * np.sin((x + 2 * number) / 9) * np.cos((y + number) / 7)
    half = ((height + 1) // 2, (width + 1) // 2)
    return Planes(luma.astype(np.uint8), np.full(half, 110, np.uint8), np.full(half, 140, np.uint8))


def frame(number: int, width: int = W, height: int = H, fps: float = 25.0) -> Frame:
    return Frame(
        planes(number, width, height), number, 1_700_000_000_000_000 + round(number * 1e6 / fps)
    )


def write_clip(path: Path, sizes: list[tuple[int, int]], fps: int = 25) -> Path:
    """A clip of one picture for each size; the size may change within it (as MPEG-TS)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuv420p"
        for number, size in enumerate(sizes):
            container.mux(stream.encode(planes_to_video_frame(planes(number, *size))))
        container.mux(stream.encode(None))
    return path


def nals_of_packet(data: bytes) -> list[bytes]:
    """Matroska holds NAL units behind four bytes of length (ISO/IEC 14496-15)."""
    nals, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        nals.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return nals
