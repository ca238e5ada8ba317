"""Photographs from inside the scikit-image wheel, read without importing scikit-image."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import Interpolation

from daemon.errors import UsageError
from engines.frame import Planes, planes_from_video_frame

Rgb = npt.NDArray[np.uint8]  # (H, W, 3)
Grey = npt.NDArray[np.floating[Any]]  # (H, W), 0..1 where it is a mask

ANSWER = "the demo scene is made of scikit-image's pictures: pip install 'denc[bench]'"


def photograph(name: str) -> Rgb:
    """One of scikit-image's pictures. Raises UsageError when it is not installed."""
    with av.open(str(_folder() / name)) as container:
        assert isinstance(container, InputContainer)
        picture = next(container.decode(video=0))
        return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)


def disparity(name: str) -> Grey:
    """A disparity map (H, W), pixels; where nothing was measured it is 0."""
    with np.load(_folder() / name) as archive:
        values = archive[archive.files[0]]
    return np.where(np.isfinite(values), values, 0).astype(np.float32)


def resized(image: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """An image (H, W, 3) or (H, W) at another size, Lanczos filtered."""
    form = "rgb24" if image.ndim == 3 else "gray"
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=form)
    picture = picture.reformat(max(width, 2), max(height, 2), interpolation=Interpolation.LANCZOS)
    return np.asarray(picture.to_ndarray(), np.uint8)


def resized_mask(mask: Grey, width: int, height: int) -> Grey:
    """A mask (H, W) of 0..1 at another size."""
    small = resized(np.rint(mask * 255).astype(np.uint8), width, height)
    return small.astype(np.float32) / 255


def planes(image: Rgb) -> Planes:
    """The image as BT.709 4:2:0."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return planes_from_video_frame(picture)


def blurred(image: Grey, radius: int, rounds: int = 2) -> Grey:
    """Box filters, one after the other; the border repeats."""
    for _ in range(rounds):
        for axis in (0, 1):
            pad = [(radius + 1, radius) if a == axis else (0, 0) for a in range(image.ndim)]
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
            size = image.shape[axis]
            high = np.take(total, range(2 * radius + 1, 2 * radius + 1 + size), axis=axis)
            low = np.take(total, range(size), axis=axis)
            image = ((high - low) / (2 * radius + 1)).astype(np.float32)
    return image


def clouds(width: int, height: int, cell: int, seed: int) -> Grey:
    """Smooth random patches of about `cell` pixels, 0..1."""
    rng = np.random.default_rng(seed)
    small = rng.random((height // cell + 3, width // cell + 3)).astype(np.float32)
    large = resized_mask(small, small.shape[1] * cell, small.shape[0] * cell)
    return large[cell : cell + height, cell : cell + width]


def polygon_mask(points: list[tuple[int, int]], width: int, height: int) -> Grey:
    """1 inside of a polygon, 0 outside, by the even-odd rule at pixel centres."""
    x = np.arange(width, dtype=np.float32) + 0.5
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    inside = np.zeros((height, width), bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 != y1:
            crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
            inside ^= crosses & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return inside.astype(np.float32)


def _folder() -> Path:
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise UsageError(ANSWER)
    folder = Path(found.submodule_search_locations[0]) / "data"
    if not (folder / "astronaut.png").is_file():
        raise UsageError(ANSWER)
    return folder
