"""What came out at the other end, compared with the frames that went in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from engines.evaluation.measures import psnr
from tests.net.time_code import read
from tests.peers import scene


@dataclass(frozen=True)
class Seen:
    """One picture, told by the number in it."""

    number: int
    psnr_y: float  # dB
    psnr_u: float
    psnr_v: float


def compare(video: Path, png: Path | None = None) -> list[Seen]:
    """Every picture of a file whose number can be read; one of them as a picture to look at."""
    seen = []
    for at, picture in enumerate(scene.of_file(video)):
        planes = scene.split(picture)
        number = read(planes[0])
        if number is None or number >= scene.FRAMES:
            continue
        if png is not None and at == 20:
            av.VideoFrame.from_ndarray(picture, format="yuv420p").to_image().save(png)  # type: ignore[no-untyped-call]
        sent = scene.split(scene.pictures()[number])
        seen.append(Seen(number, *(psnr(*pair) for pair in zip(planes, sent, strict=True))))
    return seen


def check(
    seen: list[Seen], *, pictures: int, psnr_y: float, psnr_uv: float, loops: int = 0
) -> None:
    """Enough pictures, in order, none torn: the worst and the typical one are good.

    The scene may begin again `loops` times.
    """
    assert len(seen) >= pictures, f"{len(seen)} pictures"
    numbers = [item.number for item in seen]
    back = sum(after <= before for before, after in itertools.pairwise(numbers))
    assert back <= loops, f"out of order: {numbers}"
    worst = min(seen, key=lambda item: item.psnr_y)
    assert worst.psnr_y > psnr_y - 6, worst
    assert np.median([item.psnr_y for item in seen]) > psnr_y
    assert np.median([min(item.psnr_u, item.psnr_v) for item in seen]) > psnr_uv
