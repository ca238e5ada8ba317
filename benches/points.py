"""Measured points and the file that keeps them, so that a bench goes on where it was stopped.

`results.json`, schema 2 (docs/bench.md tells it in full):

    {"schema": 2,
     "settings": {...},         what was asked for, how every codec was set, versions, the machine
     "bd_rate_mean": {"lite@0": {"psnr_y": -12.3, ...}, ...},    benches.comparison: percent,
     "bd_rate_clips": {"lite@0": {"psnr_y": 5, ...}, ...},       means over the clips that have an
     "bd_rate_mean_hull": {...}, "bd_rate_clips_hull": {...},    overlap, and how many these are
     "worst_vmaf_neg_vs_hull": {...}, "compression_ratio": {...},
     "pairs": [{...}, ...],     per clip, method, anchor and measure
     "summary": {...},          benches.summary: means over the clips per rate, all BD-rates
     "points": [{...}, ...]}    fields of Point, one per clip, method and target rate

`source` of a point tells what it depends on (frames, codec, networks, measures): a point whose
source differs from what is asked for now is measured again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from benches import BenchUsageError

SCHEMA = 2
HD_PIXELS = 1280 * 720
NO_TARGET = 0.0  # kbit/s: a point at a fixed setting instead of a rate

Key: TypeAlias = tuple[str, str, float]  # clip, method, target_kbps


@dataclass(frozen=True)
class Point:
    """One method on one clip at one rate. Bits count access units, before RTP."""

    clip: str
    method: str
    source: str
    target_kbps: float  # 720p-equivalent
    bits: int  # of the whole clip
    kbps: float  # as sent
    kbps_720p: float  # the same, scaled by pixels to 1280x720
    frames: int
    scale: int  # how many times smaller it was coded, each way
    quality: float  # the codec's setting: CRF or CQ
    qp: float | None  # mean, where it is known
    encode_ms: float  # the codec alone, per frame
    show_ms: float  # decode and restore or enlarge, per frame
    measure_s: float  # all measures of the clip
    measures: Mapping[str, float]  # by name, see benches.measured; one not taken is not in it
    sampled: Mapping[str, int] = field(default_factory=dict)  # measure -> frames, if not all

    @property
    def key(self) -> Key:
        return self.clip, self.method, self.target_kbps


def hd_factor(width: int, height: int) -> float:
    """What turns the rate of a clip of this size into its 720p-equivalent: the ratio of pixels."""
    return HD_PIXELS / (width * height)


class ResultsFile:
    """`results.json` of a folder; written anew, atomically, with every point."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Raises BenchUsageError when the folder holds a file that is no results file, or cannot
        be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchUsageError(f"--out: cannot make {folder}: {error.strerror}") from error
        self.path = folder / "results.json"
        self._settings = dict(settings)
        self._points = {point.key: point for point in _read(self.path)}
        self._findings: Mapping[str, Any] = {}

    @property
    def points(self) -> list[Point]:
        return list(self._points.values())

    def find(self, key: Key, source: str) -> Point | None:
        """The point, when it was measured from the same source."""
        point = self._points.get(key)
        return point if point is not None and point.source == source else None

    def add(self, point: Point) -> None:
        """Keep a point, on disk before this returns."""
        self._points[point.key] = point
        self.write()

    def of(self, keys: Sequence[Key]) -> list[Point]:
        """The points of a run, in its order."""
        return [self._points[key] for key in keys if key in self._points]

    def put_first(self, keys: Sequence[Key]) -> None:
        """The points of a run in its order, then those of earlier runs, which are kept."""
        wanted = {key: self._points[key] for key in keys if key in self._points}
        self._points = wanted | self._points

    def finish(self, findings: Mapping[str, Any]) -> None:
        """Put what the points say together beside them."""
        self._findings = findings
        self.write()

    def write(self) -> None:
        """Replace the file."""
        document = {
            "schema": SCHEMA,
            "settings": self._settings,
            **self._findings,
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
            raise BenchUsageError(
                f"{path} has schema {document['schema']}, not {SCHEMA}: move it away"
            )
        return [Point(**point) for point in document["points"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchUsageError(f"{path} is no results file ({error!r}): move it away") from error
