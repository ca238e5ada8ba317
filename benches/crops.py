"""Zoomed crops of every method beside the source, at one rate: what the figures look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benches.methods import in_order, label_of
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
from engines.carrier import CASCADE
from engines.evaluation.clips import Clip
from engines.frame import Planes

CROP_WIDTH, CROP_HEIGHT = 160, 112  # pixels of the source
ZOOM = 2
TYPICAL_PLACE = 2  # of a cascade
SOURCE = "source"


@dataclass(frozen=True)
class Crop:
    """A crop that was kept, and what it shows."""

    clip: str
    file: Path
    label: str


def rate_of(rates_kbps: Sequence[float]) -> float:
    """The rate whose pictures are kept: the lower middle one."""
    return sorted(rates_kbps)[(len(rates_kbps) - 1) // 2]


def typical(frames: int) -> int:
    """Number of a frame in the middle of a clip, neither the best coded of a cascade nor the
    worst."""
    return max(0, min(frames // 2 // len(CASCADE) * len(CASCADE) + TYPICAL_PLACE, frames - 1))


def keep(out: Path, point: Point, clip: Clip, picture: Planes) -> None:
    """Keep the crop of the clip's typical frame, from the source and from a method's `picture`."""
    (out / "crops").mkdir(exist_ok=True)
    middle = clip.pictures[typical(len(clip.pictures))]
    box = telling_box(middle.y, CROP_WIDTH, CROP_HEIGHT)
    files = (
        _file(out, clip.name, SOURCE),
        _file(out, clip.name, point.method, point.target_kbps),
    )
    for file, planes in zip(files, (middle, picture), strict=True):
        save_png(crop(rgb_from_planes(planes), box), str(file))


def is_kept(out: Path, clip: str, method: str, rate_kbps: float) -> bool:
    """Whether the crop of a point is there, so that the point need not be measured for it."""
    return _file(out, clip, method, rate_kbps).exists()


def kept(out: Path, points: Sequence[Point], rate_kbps: float) -> Iterator[Crop]:
    """The crops of a rate, clip by clip, the source first."""
    for clip in dict.fromkeys(point.clip for point in points):
        yield Crop(clip, _file(out, clip, SOURCE), "source")
        there = {p.method: p for p in points if (p.clip, p.target_kbps) == (clip, rate_kbps)}
        for method in in_order(there):
            label = f"{label_of(method)}, {there[method].kbps:.0f} kbit/s"
            yield Crop(clip, _file(out, clip, method, rate_kbps), label)


def comparison(out: Path, points: Sequence[Point], rate_kbps: float) -> None:
    """crops.png: a row per clip, a column per method, of the crops that were kept."""
    rows: dict[str, list[Panel]] = {}
    for found in kept(out, points, rate_kbps):
        rows.setdefault(found.clip, []).append(Panel(_load(found.file), found.label))
    labelled = [
        [Panel(panels[0].picture, f"{clip}: {panels[0].label}"), *panels[1:]]
        for clip, panels in rows.items()
    ]
    save_png(stacked(labelled, font_size=13), str(out / "crops.png"))


def _file(out: Path, clip: str, method: str, rate_kbps: float | None = None) -> Path:
    name = f"{clip}-{method}" + ("" if rate_kbps is None else f"-{rate_kbps:g}")
    return out / "crops" / f"{name.replace('/', '_')}.png"


def _load(file: Path) -> RGB:
    with Image.open(file) as picture:
        return enlarged(np.asarray(picture.convert("RGB")), ZOOM)
