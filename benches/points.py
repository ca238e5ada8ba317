"""Measured points and the file that keeps them, so that a bench goes on where it was stopped.

`results.json`, schema 1:

    {"schema": 1, "settings": {...},        what was asked for, for the reader
     "points": [{...}, ...],                fields of Point, one per clip, method and target rate
     "summary": {...}}                      benches.summary: means over clips, BD-rates

`source` of a point tells what it depends on (frames, networks, measures): a point whose source
differs from what is asked for now is measured again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benches import BenchError

SCHEMA = 1
HD_PIXELS = 1280 * 720
MEASURES = ("psnr_y", "vmaf", "vmaf_neg", "lpips_sq", "dists_vgg")


@dataclass(frozen=True)
class Point:
    """One method on one clip at one rate. Rates count access units, before RTP."""

    clip: str
    method: str
    source: str
    target_kbps: float  # 720p-equivalent
    kbps: float  # as sent
    kbps_720p: float  # the same, scaled by pixels to 1280x720
    frames: int
    scale: int
    crf: float
    qp: float  # mean
    psnr_y: float  # dB
    vmaf: float
    vmaf_neg: float
    encode_ms: float  # carrier, per frame
    show_ms: float  # decode and restore or upscale, per frame
    lpips_sq: float | None = None  # lower is better
    dists_vgg: float | None = None  # lower is better
    perceptual_frames: int = 0  # sampled evenly for the two

    @property
    def key(self) -> tuple[str, str, float]:
        return self.clip, self.method, self.target_kbps


def hd_factor(width: int, height: int) -> float:
    """What turns the rate of a clip of this size into its 720p-equivalent: the ratio of pixels."""
    return HD_PIXELS / (width * height)


class ResultsFile:
    """`results.json` of a folder; written anew, atomically, with every point."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Raises BenchError when the folder holds a file that is no results file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "results.json"
        self._settings = dict(settings)
        self._points = {point.key: point for point in _read(self.path)}
        self._summary: Mapping[str, Any] = {}

    @property
    def points(self) -> list[Point]:
        return list(self._points.values())

    def find(self, clip: str, method: str, target_kbps: float, source: str) -> Point | None:
        """The point, when it was measured from the same source."""
        point = self._points.get((clip, method, target_kbps))
        return point if point is not None and point.source == source else None

    def add(self, point: Point) -> None:
        """Keep a point, on disk before this returns."""
        self._points[point.key] = point
        self.write()

    def keep_only(self, keys: set[tuple[str, str, float]]) -> None:
        """Drop points of earlier runs that this one did not ask for."""
        self._points = {key: point for key, point in self._points.items() if key in keys}

    def set_summary(self, summary: Mapping[str, Any]) -> None:
        """Put the summary beside the points."""
        self._summary = summary
        self.write()

    def write(self) -> None:
        """Replace the file."""
        document = {
            "schema": SCHEMA,
            "settings": self._settings,
            "summary": self._summary,
            "points": [asdict(point) for point in self._points.values()],
        }
        partial = self.path.with_suffix(".json.part")
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.path)


def _read(path: Path) -> list[Point]:
    if not path.exists():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise BenchError(f"{path} has schema {document['schema']}, not {SCHEMA}: move it away")
        return [Point(**point) for point in document["points"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} is no results file ({error!r}): move it away") from error
