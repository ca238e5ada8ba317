"""What the demo ends with: a small table, demo/results.json and demo/comparison.png."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benches.demo.live import LiveRun
from benches.picture import (
    GAP,
    RGB,
    Panel,
    crop,
    enlarged,
    rgb_from_planes,
    save_png,
    stacked,
    stretched,
    telling_box,
)
from engines.evaluation.measures import ClipMeasures, psnr
from engines.frame import Planes

PANEL_WIDTH_MAX = 848  # pixels; larger pictures are shrunk in the upper rows, never in the crops
ZOOM = 3
CROP_ASPECT = 0.75  # height to width


@dataclass(frozen=True)
class Result:
    """Everything the table says."""

    run: LiveRun
    said: str  # how the size was found
    engine: str
    denc: ClipMeasures
    x265: ClipMeasures
    x265_bits: int
    x265_live: ClipMeasures
    x265_live_bits: int
    compared: int  # frames
    scales: tuple[int, ...]  # that the stream was sent at

    @property
    def kbps(self) -> float:
        return self.run.bits / self.run.seconds / 1000

    @property
    def x265_kbps(self) -> float:
        return self._kbps(self.x265_bits)

    @property
    def x265_live_kbps(self) -> float:
        return self._kbps(self.x265_live_bits)

    def _kbps(self, bits: int) -> float:
        return bits / (self.compared / self.run.setting.fps) / 1000


@dataclass(frozen=True, eq=False)
class Pictures:
    """One frame, four times."""

    source: Planes
    preview: Planes
    x265: Planes
    denc: Planes


def table(result: Result) -> str:
    """The table on stdout."""
    run, setting = result.run, result.run.setting
    lost_or_skipped = run.due - run.received
    dropped = run.received - len(run.shown)
    lines = [
        f"{setting.source} at {setting.size}, {setting.fps:g} frames/s: {result.said}",
        f"  sent     {run.bits / 1e6:.2f} Mbit in {run.seconds:.1f} s, {result.kbps:.0f} kbit/s"
        " (access units, before RTP)",
        f"  frames   {run.due} captured, {run.received} arrived, {len(run.shown)} shown,"
        f" {dropped} dropped by the viewer, {lost_or_skipped} skipped or lost before it",
        f"  latency  p50 {run.latency_ms(50):.0f} ms, p95 {run.latency_ms(95):.0f} ms"
        " from capture to restored",
        f"  sent at {_sizes(result.scales)}, restored by {result.engine}",
        "",
        f"  {f'the {result.compared} frames that arrived':<30}"
        f"{'kbit/s':>8}{'PSNR-Y':>10}{'VMAF':>8}{'VMAF-NEG':>10}",
        _row("denc", result.kbps, result.denc),
        _row("x265, live settings", result.x265_live_kbps, result.x265_live),
        _row("x265, constant quality", result.x265_kbps, result.x265),
    ]
    lines += [
        "  x265 is medium zerolatency at full size: once under the rate control that denc's live",
        "  stream was under, once at constant quality over the whole clip, its best case.",
    ]
    if result.x265_kbps > 1.05 * result.kbps:
        lines.append("  It cannot code this size with fewer bits: its QP is at the end, 51.")
    return "\n".join(lines)


def _sizes(scales: Sequence[int]) -> str:
    """In words."""
    parts = ["full size" if s == 1 else f"1/{s} of the size" for s in scales]
    return ", then ".join(parts)


def write_results(result: Result, path: Path) -> None:
    """The same figures for programs."""
    run = result.run
    document = {
        "schema": 1,
        "setting": asdict(run.setting),
        "engine": result.engine,
        "scales": result.scales,
        "seconds": run.seconds,
        "bits": run.bits,
        "frames": {"due": run.due, "arrived": run.received, "shown": len(run.shown)},
        "latency_ms": {"p50": run.latency_ms(50), "p95": run.latency_ms(95)},
        "compared_frames": result.compared,
        "denc": {"kbps": result.kbps, **asdict(result.denc)},
        "x265_live": {"kbps": result.x265_live_kbps, **asdict(result.x265_live)},
        "x265_constant_quality": {"kbps": result.x265_kbps, **asdict(result.x265)},
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def typical_frame(source: Sequence[Planes], denc: Sequence[Planes], x265: Sequence[Planes]) -> int:
    """Index of the frame whose gain in PSNR-Y over x265 is the median one: neither best nor worst.

    Of the second half, when both have had the time to settle.
    """
    start = len(source) // 2
    gains = [
        psnr(denc[index].y, source[index].y) - psnr(x265[index].y, source[index].y)
        for index in range(start, len(source))
    ]
    return start + int(np.argsort(gains)[len(gains) // 2])


def comparison(pictures: Pictures, result: Result, path: Path) -> None:
    """Two by two the whole pictures, and under them a crop of each, enlarged pixel by pixel."""
    source = rgb_from_planes(pictures.source)
    height, width = source.shape[:2]
    preview = rgb_from_planes(pictures.preview)
    small = f"{preview.shape[1]}x{preview.shape[0]}"
    whole = [
        Panel(source, f"source, {width}x{height}"),
        Panel(
            stretched(preview, width, height),
            f"what travels: the latent, {small}, shown pixel by pixel",
        ),
        Panel(
            rgb_from_planes(pictures.x265),
            f"x265 at constant quality, {result.x265_kbps:.0f} kbit/s",
        ),
        Panel(rgb_from_planes(pictures.denc), f"denc, live, {result.kbps:.0f} kbit/s"),
    ]
    panel_width = min(width, PANEL_WIDTH_MAX)
    crop_width = min(width, (2 * panel_width - 2 * GAP) // (4 * ZOOM))  # four crops fill the width
    box = telling_box(pictures.source.y, crop_width, round(crop_width * CROP_ASPECT))
    names = ("source", "latent", "x265", "denc")
    crops = [
        Panel(enlarged(crop(panel.picture, box), ZOOM), f"{name}, {ZOOM} times")
        for panel, name in zip(whole, names, strict=True)
    ]
    shown = [Panel(_shrunk(panel.picture, panel_width), panel.label) for panel in whole]
    title = f"denc and x265 at the same bits, {result.run.setting.fps:g} frames/s"
    save_png(stacked([shown[:2], shown[2:], crops], title), str(path))


def _row(name: str, kbps: float, measures: ClipMeasures) -> str:
    return (
        f"    {name:<28}{kbps:>8.0f}{measures.psnr_y:>10.2f}{measures.vmaf:>8.1f}"
        f"{measures.vmaf_neg:>10.1f}"
    )


def _shrunk(picture: RGB, width: int) -> RGB:
    if picture.shape[1] <= width:
        return picture
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
