"""A small moving clip, in memory and as a file."""

from pathlib import Path

import av
import numpy as np
from scipy import ndimage

from engines.evaluation.clips import Clip
from engines.frame import Planes, planes_to_video_frame

WIDTH, HEIGHT, FRAMES, FPS = 130, 98, 6, 25.0


def moving(number: int) -> Planes:
    random = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(random.normal(size=(HEIGHT, WIDTH + 40)), 1.5) * 200 + 120
    luma = np.clip(texture[:, 3 * number : 3 * number + WIDTH], 16, 235).astype(np.uint8)
    chroma = np.full(((HEIGHT + 1) // 2, (WIDTH + 1) // 2), 120, np.uint8)
    return Planes(luma, chroma, chroma)


CLIP = Clip("moving", FPS, tuple(moving(number) for number in range(FRAMES)))


def write_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "yuv420p"
        for planes in CLIP.pictures:
            container.mux(stream.encode(planes_to_video_frame(planes)))
        container.mux(stream.encode())
    return path
