"""Zoomed crops of every method beside the source, at one rate: what the figures look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benches.channels import LABELS, METHODS
from benches.picture import (
    RGB,
    Panel,
    crop,
    enlarged,
    rgb_from_planes,
    save_png,
    stacked,
    telling_box,
)
from benches.points import Point
from engines.evaluation.clips import Clip
from engines.frame import Planes

CROP_WIDTH, CROP_HEIGHT = 160, 112  # pixels of the source
ZOOM = 2
SOURCE = "source"


def rate_of(rates_kbps: Sequence[float]) -> float:
    """The rate whose pictures are kept: the lower middle one."""
    return sorted(rates_kbps)[(len(rates_kbps) - 1) // 2]


def keep(out: Path, point: Point, clip: Clip, pictures: Sequence[Planes]) -> None:
    """Keep the crop of the clip's middle frame, from the source and from a method."""
    folder = out / "crops"
    folder.mkdir(exist_ok=True)
    middle = len(clip.pictures) // 2
    box = telling_box(clip.pictures[middle].y, CROP_WIDTH, CROP_HEIGHT)
    method = f"{point.method}-{point.target_kbps:g}"
    for name, planes in ((SOURCE, clip.pictures[middle]), (method, pictures[middle])):
        save_png(crop(rgb_from_planes(planes), box), str(folder / f"{clip.name}-{name}.png"))


def is_kept(out: Path, clip: str, method: str, rate_kbps: float) -> bool:
    """Whether the crop of a point is there, so that the point need not be measured for it."""
    return (out / "crops" / f"{clip}-{method}-{rate_kbps:g}.png").exists()


def comparison(out: Path, points: Sequence[Point], rate_kbps: float) -> None:
    """crops.png: a row per clip, a column per method, of the crops that were kept."""
    rows = []
    for clip in dict.fromkeys(point.clip for point in points):
        there = {p.method: p for p in points if (p.clip, p.target_kbps) == (clip, rate_kbps)}
        row = [Panel(_load(out, clip, SOURCE), f"{clip}: source")]
        for method in METHODS:
            if method in there:
                label = f"{LABELS[method]}, {there[method].kbps:.0f} kbit/s"
                row.append(Panel(_load(out, clip, f"{method}-{rate_kbps:g}"), label))
        rows.append(row)
    save_png(stacked(rows, font_size=15), str(out / "crops.png"))


def _load(out: Path, clip: str, name: str) -> RGB:
    with Image.open(out / "crops" / f"{clip}-{name}.png") as picture:
        return enlarged(np.asarray(picture.convert("RGB")), ZOOM)
