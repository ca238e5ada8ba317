"""report.html: everything of a quality bench in one file, pictures included, for any browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from benches import compression, crops, plots
from benches.comparison import bd_rates, pairs, worst_vmaf_neg
from benches.measured import Measure, shown
from benches.methods import HULL, label_of
from benches.page import figure, page, table
from benches.points import Point
from benches.summary import Row, missed, number, percent, telling
from benches.summary import table as means

CLIP_MEASURES = ("psnr_y", "ms_ssim", "vmaf_neg", "lpips_sq", "dists_vgg", "flicker")
HOW = """\
Every method codes every clip at a constant quality; the quality setting is searched for at which
the clip takes the target's bits, within 4 % or the codec's own steps. denc's bits are its access
units with side information, as they go to RTP; those of the others are their packets, x265's
without the information that it writes about itself. Rates are 720p-equivalent: scaled by pixels to
1280x720. denc's pictures come out of the viewer's own decoder and restorer; smaller x265 and the
method "Lanczos" are enlarged by a Lanczos filter. VMAF and VMAF-NEG (version 0.6.1), XPSNR, PSNR
and flicker look at every frame, the other measures at frames spread over the clip (the settings
say how many); flicker is the RMS over luma of the change of the error from frame to frame. BD-rate
is the mean distance of two curves (monotone piecewise cubics through log rate over quality) over
the qualities that both reach."""


def write(
    out: Path, points: Sequence[Point], settings: Mapping[str, object], shown_rate: float
) -> None:
    """report.html in the folder `out`, from the points and the crops that were kept there."""
    measures = shown(name for point in points for name in point.measures)
    rows, curves = means(points), plots.mean_curves(points)
    clips = list(dict.fromkeys(point.clip for point in points))
    parts = [
        "<h1>Quality per bit</h1>",
        f"<p>denc {escape(str(settings['denc']))}, on {escape(', '.join(clips))}.</p>",
        "<h2>BD-rate</h2>",
        "<p>Mean over the clips, and in brackets in how many of them the curves overlap. Below 0"
        " denc saves bits at equal quality.</p>",
        _bd_table(points, measures),
        *_worst(points),
        f"<h2>Rate and quality</h2>{_legend(row.method for row in rows)}",
        _panels(curves, plots.mean_label(points), measures),
        "<h2>Means over the clips</h2>",
        _means_table(rows, measures),
        f"<h2>Crops</h2><p>The middle frame, each pixel enlarged, at {shown_rate:g} kbit/s.</p>",
        _crops(out, points, shown_rate),
        "<h2>Clip by clip</h2>",
        *(_clip(points, clip, measures) for clip in clips),
        _ratios(points),
        f"<h2>How it was measured</h2><p>{HOW}</p>",
        f"<details><summary>Settings</summary><pre>{escape(json.dumps(settings, indent=1))}</pre>"
        "</details>",
    ]
    (out / "report.html").write_text(page("denc: quality per bit", parts), encoding="utf-8")


def _bd_table(points: Sequence[Point], measures: Sequence[Measure]) -> str:
    rows: list[Sequence[str]] = []
    for anchor, by_method in telling(bd_rates(pairs(points))).items():
        for method, found in by_method.items():
            cells = [percent(found.get(measure.name)) for measure in measures]
            rows.append([label_of(anchor), label_of(method), *cells])
    return table(["against", "method", *(m.label for m in measures)], rows, texts=2)


def _worst(points: Sequence[Point]) -> list[str]:
    return [
        f"<p>{label_of(method)}, at its worst against {label_of(HULL)}: VMAF-NEG"
        f" {worst.vmaf_neg:.1f} and {worst.hull:.1f}, {escape(worst.clip)} at"
        f" {worst.target_kbps:g} kbit/s.</p>"
        for method, worst in worst_vmaf_neg(points).items()
    ]


def _means_table(rows: Iterable[Row], measures: Sequence[Measure]) -> str:
    cells = [
        [
            f"{row.target_kbps:g}",
            label_of(row.method) + (f" ({row.missed} cannot go so low)" if row.missed else ""),
            f"{row.kbps_720p:.0f}",
            *(number(row.measures.get(measure.name)) for measure in measures),
        ]
        for row in rows
    ]
    return table(["target", "method", "kbit/s", *(m.label for m in measures)], cells, texts=2)


def _legend(methods: Iterable[str]) -> str:
    looks = plots.looks(list(dict.fromkeys(methods)))
    chips = [
        f'<span><i style="border-top-style:{"solid" if style == "-" else "dashed"};'
        f'border-color:{color}"></i>{escape(label_of(method))}</span>'
        for method, (color, _, style) in looks.items()
    ]
    return f'<p class="legend">{"".join(chips)}</p>'


def _panels(curves: plots.Curves, label: str, measures: Sequence[Measure]) -> str:
    images = [
        figure(_data_uri(plots.panel_png(curves[m.name], m, label)), f"{m.label}: {label}")
        for m in measures
        if m.name in curves
    ]
    return f'<div class="panels">{"".join(images)}</div>'


def _crops(out: Path, points: Sequence[Point], rate_kbps: float) -> str:
    rows: dict[str, list[str]] = {}
    for found in crops.kept(out, points, rate_kbps):
        image = figure(_data_uri(found.file.read_bytes()), found.label, caption=True)
        rows.setdefault(found.clip, []).append(image)
    return "".join(
        f'<h3>{escape(clip)}</h3><div class="crops">{"".join(images)}</div>'
        for clip, images in rows.items()
    )


def _clip(points: Sequence[Point], clip: str, measures: Sequence[Measure]) -> str:
    own = [point for point in points if point.clip == clip]
    some = [measure for measure in measures if measure.name in CLIP_MEASURES]
    panels = _panels(plots.clip_curves(own, clip), f"{clip}, kbit/s", some)
    cells = [
        [
            f"{point.target_kbps:g}" if point.target_kbps else "-",
            label_of(point.method) + (" (cannot go so low)" if missed(point) else ""),
            f"{point.kbps:.0f}",
            *(number(point.measures.get(measure.name)) for measure in measures),
        ]
        for point in own
    ]
    head = ["target", "method", "kbit/s", *(measure.label for measure in measures)]
    return (
        f"<details><summary>{escape(clip)}, {own[0].frames} frames</summary>"
        f"{panels}{table(head, cells, texts=2)}</details>"
    )


def _ratios(points: Sequence[Point]) -> str:
    rows = [
        [
            label_of(r.method),
            f"{r.target_kbps:g}",
            f"{r.ratio:.1f}",
            *(f"{value:.2f}" for value in (r.psnr_y, r.x265_psnr_y, r.vmaf, r.x265_vmaf)),
        ]
        for r in compression.means(compression.ratios(points))
    ]
    if not rows:
        return ""
    head = ["method", "target", "ratio", "PSNR-Y, dB", "of x265", "VMAF", "of x265"]
    return (
        f"<h2>{compression.LABEL}</h2><p>Bits of x265 medium at CRF 28, default mode,"
        f" over denc's, mean over the clips. </p>{table(head, rows, texts=1)}"
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
