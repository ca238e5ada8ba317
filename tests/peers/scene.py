"""What is sent: the built-in moving scene, each frame with its number drawn into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from engines.frame import Frame
from streamer.sources.open import DEMO, open_source
from tests.link.h265 import coded
from tests.net.time_code import draw

WIDTH, HEIGHT, FPS = 320, 192, 25
FRAMES = 125  # 5 s
Picture = npt.NDArray[np.uint8]  # (H * 3 / 2, W), I420


@cache
def pictures() -> tuple[Picture, ...]:
    """All frames, in order."""
    source = open_source(DEMO, (WIDTH, HEIGHT), FPS)
    try:
        return tuple(_numbered(source.read(), number) for number in range(FRAMES))
    finally:
        source.close()


def _numbered(frame: Frame | None, number: int) -> Picture:
    assert frame is not None  # the scene never ends
    luma = frame.planes.y.copy()
    draw(luma, number)
    chroma = [plane.reshape(-1, WIDTH) for plane in (frame.planes.u, frame.planes.v)]
    return np.concatenate([luma, *chroma])


def raw(path: Path) -> Path:
    """The frames as bare I420, for pipelines that encode themselves."""
    path.write_bytes(b"".join(picture.tobytes() for picture in pictures()))
    return path


def enlarged(path: Path) -> Path:
    """A lossless file of twice the size each way, whose half is the scene again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 2 * WIDTH, 2 * HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "qp": "0"}
        for number, picture in enumerate(pictures()):
            planes = [plane.repeat(2, 0).repeat(2, 1) for plane in split(picture)]
            rows = np.concatenate([plane.reshape(-1, 2 * WIDTH) for plane in planes])
            container.mux(stream.encode(_frame(rows, number)))
        container.mux(stream.encode(None))
    return path


def h265(path: Path, *, parameters: str = "") -> Path:
    """Access units of a plain encoder, each behind its size in 4 bytes; an IRAP a second."""
    units = [bytes(unit) for unit in coded(pictures(), FPS, FPS, f"qp=24{parameters}")]
    path.write_bytes(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))
    return path


def split(picture: Picture) -> Sequence[Picture]:
    """Y, U and V planes."""
    height = picture.shape[0] * 2 // 3
    width = picture.shape[1]
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    return picture[:height], chroma[0], chroma[1]


def of_file(path: Path) -> Iterator[Picture]:
    """The pictures of a video file, or of bare I420 as `raw` writes it."""
    if path.suffix == ".yuv":
        rows, size = HEIGHT * 3 // 2, HEIGHT * 3 // 2 * WIDTH
        data = np.fromfile(path, np.uint8)
        yield from data[: len(data) // size * size].reshape(-1, rows, WIDTH)
        return
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="yuv420p")


def _frame(picture: Picture, number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
    frame.pts = number
    return frame
