"""Pictures for people: planes as RGB, and labelled panels put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, Interpolation
from PIL import Image, ImageDraw, ImageFont

from engines.frame import Plane, Planes, planes_to_video_frame

RGB: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3)

BACKGROUND, INK = (18, 18, 20), (240, 240, 240)
GAP = 6  # pixels between panels
CROP_PATCH = 16  # pixels; the grid on which a telling crop is looked for


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture and what is written above it."""

    picture: RGB
    label: str


def rgb_from_planes(planes: Planes) -> RGB:
    """Limited-range BT.709 to RGB."""
    picture = planes_to_video_frame(planes).reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        interpolation=Interpolation.BICUBIC,
    )
    rows = np.frombuffer(memoryview(picture.planes[0]), np.uint8)  # padded at the right
    rgb = rows.reshape(planes.height, picture.planes[0].line_size)[:, : 3 * planes.width]
    return rgb.reshape(planes.height, planes.width, 3)


def save_png(picture: RGB, path: str) -> None:
    """Write a picture."""
    Image.fromarray(picture).save(path, optimize=True)


def enlarged(picture: RGB, factor: int) -> RGB:
    """Every pixel as a square of `factor` pixels: nothing is smoothed or made up."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def stretched(picture: RGB, width: int, height: int) -> RGB:
    """At another size by nearest neighbour."""
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(resized)


def crop(picture: RGB, box: tuple[int, int, int, int]) -> RGB:
    """(left, top, width, height) of a picture."""
    left, top, width, height = box
    return picture[top : top + height, left : left + width]


def telling_box(luma: Plane, width: int, height: int) -> tuple[int, int, int, int]:
    """Where the source has most detail: (left, top, width, height) of its strongest gradients."""
    value = luma.astype(np.float32)
    gradient = np.abs(np.diff(value, axis=0))[:, :-1] + np.abs(np.diff(value, axis=1))[:-1]
    total = np.pad(np.minimum(gradient, 40).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    width, height = min(width, gradient.shape[1]), min(height, gradient.shape[0])
    best, found = -1.0, (0, 0)
    for top in range(0, gradient.shape[0] - height + 1, CROP_PATCH):
        for left in range(0, gradient.shape[1] - width + 1, CROP_PATCH):
            bottom, right = top + height, left + width
            area = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
            if area > best:
                best, found = float(area), (left, top)
    return found[0], found[1], width, height


def stacked(rows: Sequence[Sequence[Panel]], title: str = "", font_size: int = 18) -> RGB:
    """Rows of panels under a title, each panel with its label above it."""
    font = ImageFont.load_default(font_size)
    line = font_size + 8
    heights = [max(panel.picture.shape[0] for panel in row) + line for row in rows]
    width = max(sum(p.picture.shape[1] + GAP for p in row) for row in rows) + GAP
    head = line if title else 0
    sheet = Image.new("RGB", (width, sum(heights) + GAP * (len(rows) + 1) + head), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 4), title, INK, font)
    top = head + GAP
    for row, height in zip(rows, heights, strict=True):
        left = GAP
        for panel in row:
            draw.text((left, top + 2), panel.label, INK, font)
            sheet.paste(Image.fromarray(panel.picture), (left, top + line))
            left += panel.picture.shape[1] + GAP
        top += height + GAP
    return np.asarray(sheet)
