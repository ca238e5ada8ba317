"""Quality per bit: denc as it really sends, beside x265, SVT-AV1 and VP9 at the same bits.

    denc-bench quality --manifest ../shared/data/dev/manifest.yaml --fast --out runs/quality
    denc-bench quality yard.mp4

For each clip and target rate: the quality setting that meets the rate is searched for each codec
(`benches.rates`), denc's stream goes through the real access units and the viewer's decoder
(`benches.channels`), and what comes out is measured against the source. Every point is kept in
results.json as soon as it is measured; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import av
from tqdm import tqdm

from benches import BenchUsageError, crops, plots, report, summary
from benches.clip_bench import THREADS, ClipBench, Extra, taken
from benches.measured import OFFICIAL
from benches.methods import (
    ANCHOR_METHODS,
    ANCHORS,
    methods_of,
    parse_anchors,
    parse_variants,
)
from benches.plan import RATES_KBPS, Plan, doubles
from benches.points import Point, ResultsFile
from benches.views import open_views
from engines.evaluation import EvaluationError
from engines.evaluation.clips import (
    FAST_FRAMES,
    ClipEntry,
    read_clip,
    read_manifest,
    shortened,
    video_entry,
)
from engines.evaluation.measures import STRUCTURE_FRAMES
from engines.latent import SCALES

NAMED_FRAMES = 96  # at most, of a clip that is named on the command line
PERCEPTUAL_FRAMES = 8  # of each clip: a whole cycle of qualities


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `denc-bench quality`."""
    clips = parser.add_argument_group("what is measured")
    clips.add_argument(
        "clip", nargs="*", type=Path, metavar="CLIP",
        help=f"video file, at its own size and frame rate, its first {NAMED_FRAMES} frames",
    )  # fmt: skip
    clips.add_argument("--manifest", type=Path, metavar="FILE", help="YAML list of clips")
    clips.add_argument(
        "--fast", action="store_true",
        help=f"the manifest's fast subset, or of each file, {FAST_FRAMES} frames",
    )  # fmt: skip
    clips.add_argument("--clips", metavar="NAMES", help="only these of the manifest, by name")
    clips.add_argument("--frames", type=_count, metavar="N", help="at most so many of each clip")
    clips.add_argument(
        "--rates", default=",".join(f"{rate:g}" for rate in RATES_KBPS),
        help="720p-equivalent kbit/s (default: %(default)s)",
    )  # fmt: skip
    methods = parser.add_argument_group("methods, separated by commas or spaces")
    methods.add_argument(
        "--engines", nargs="+", default=["auto"], metavar="NAME[@FIDELITY]",
        help="such as lite@0.3; without a fidelity both 0 and 1 (default: auto)",
    )  # fmt: skip
    methods.add_argument(
        "--anchors", nargs="+", default=list(ANCHORS), metavar="NAME",
        help=f"of {', '.join(ANCHORS)} (default: all)",
    )  # fmt: skip
    methods.add_argument("--scale", choices=("auto", *map(str, SCALES)), default="auto")
    methods.add_argument("--bits", type=int, choices=range(4, 9), default=8)
    methods.add_argument("--no-guide", action="store_true", help="as with denc-stream --no-guide")
    measures = parser.add_argument_group("measures")
    measures.add_argument(
        "--metrics", type=Path, metavar="FOLDER",
        help="weights of LPIPS-sq and DISTS-vgg; needs torch",
    )  # fmt: skip
    measures.add_argument(
        "--perceptual-frames", type=_count, default=PERCEPTUAL_FRAMES, metavar="N",
        help="that networks look at, spread over each clip (default: %(default)s)",
    )  # fmt: skip
    measures.add_argument(
        "--pyiqa", nargs="+", default=[], metavar="NAME",
        help=f"official measures, of {', '.join(OFFICIAL)}; needs the extra pyiqa and its weights",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("runs/quality"), metavar="DIR",
        help="folder of results and pictures (default: %(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; the exit code."""
    entries = entries_of(arguments)
    variants = parse_variants(arguments.engines)
    anchors = parse_anchors(arguments.anchors)
    rates = _rates(arguments.rates)
    extras = _extras(arguments)
    plan = Plan(
        views=tuple(open_views(variants, THREADS)),
        rates_kbps=rates,
        anchors=anchors,
        scale=None if arguments.scale == "auto" else int(arguments.scale),
        bits=arguments.bits,
        guided=not arguments.no_guide,
    )
    for reason in {view.reason for view in plan.views} - {""}:
        _note(reason)
    with tqdm(total=len(entries) * len(list(plan.points())), unit="point") as bar:

        def progress(text: str) -> None:
            bar.set_postfix_str(text)
            bar.update()

        points = measure_all(entries, plan, extras, arguments.out, progress)
    print(summary.text(points))
    print(f"kept in {arguments.out}: report.html, results.json, mean.png, crops.png, clip plots")
    return 0


def measure_all(
    entries: Sequence[ClipEntry],
    plan: Plan,
    extras: Sequence[Extra],
    out: Path,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Point]:
    """Measure every clip at every rate into the folder `out`; the points, old and new.

    `progress` is told of each point. Writes results.json, report.html, plots and crops.
    """
    settings = settings_of(entries, plan, extras)
    results = ResultsFile(out, settings)
    shown_rate = crops.rate_of(plan.rates_kbps)
    keys = []
    for entry in entries:
        bench: ClipBench | None = None
        for method, rate in plan.points():
            keys.append((entry.name, method, rate))
            source = plan.source_of(method, entry, taken(extras, entry.frames))
            is_shown = rate == shown_rate
            lacks_crop = is_shown and not crops.is_kept(out, entry.name, method, rate)
            if lacks_crop or results.find(keys[-1], source) is None:
                bench = bench or ClipBench(read_clip(entry), plan, extras)
                point, middle = bench.measure(method, rate, source)
                if is_shown:
                    crops.keep(out, point, bench.clip, middle)
                results.add(point)
            progress(f"{entry.name} {method} {rate:g}")
    results.put_first(keys)
    points = results.of(keys)
    findings = summary.findings(points)
    results.finish(findings)
    label = plots.mean_label(points)
    plots.sheet_png(plots.mean_curves(points), label, out / "mean.png")
    for entry in entries:
        curves = plots.clip_curves(points, entry.name)
        plots.sheet_png(curves, f"{entry.name}, kbit/s", out / f"{entry.name}.png")
    crops.comparison(out, points, shown_rate)
    report.write(out, points, settings, shown_rate)
    return points


def settings_of(
    entries: Sequence[ClipEntry], plan: Plan, extras: Sequence[Extra]
) -> dict[str, object]:
    """What was asked for and how it was measured, for the reader of results.json."""
    return {
        "denc": version("denc"),
        "clips": {
            entry.name: {
                "file": entry.file.name,
                "filter": entry.filter,
                "start": entry.start,
                "frames": entry.frames,
                "fps": entry.fps,
            }
            for entry in entries
        },
        "rates_kbps_720p": list(plan.rates_kbps),
        "methods": {view.method: view.network for view in plan.views},
        "anchors": {m: ANCHOR_METHODS[m].coder.settings for m in methods_of(plan.anchors)},
        "scale": plan.scale or "auto",
        "bits": plan.bits,
        "guided": plan.guided,
        "frames_sampled": {
            "ssim, ms_ssim, uiqi": STRUCTURE_FRAMES,
            **{name: extra.frames_of(sys.maxsize) for extra in extras for name in extra.names},
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": {"python": platform.python_version(), "av": av.__version__},
    }


def entries_of(arguments: argparse.Namespace) -> list[ClipEntry]:
    """The clips that are asked for. Raises BenchUsageError."""
    if bool(arguments.clip) == bool(arguments.manifest):
        raise BenchUsageError("give either a --manifest or video files")
    try:
        if arguments.manifest:
            entries = read_manifest(arguments.manifest, fast=arguments.fast)
        else:
            most = FAST_FRAMES if arguments.fast else NAMED_FRAMES
            entries = [video_entry(path, most) for path in arguments.clip]
    except EvaluationError as error:
        raise BenchUsageError(str(error)) from error
    if arguments.clips:
        names = arguments.clips.split(",")
        unknown = set(names) - {entry.name for entry in entries}
        if unknown:
            raise BenchUsageError(f"--clips: there is no {', '.join(sorted(unknown))}")
        entries = [entry for entry in entries if entry.name in names]
    if not entries:
        raise BenchUsageError("the manifest has no such clips")
    twice = doubles([entry.name for entry in entries])
    if twice:
        raise BenchUsageError(f"two clips have the name {', '.join(twice)}")
    if arguments.frames:
        entries = [shortened(entry, arguments.frames) for entry in entries]
    return entries


def _extras(arguments: argparse.Namespace) -> list[Extra]:
    if arguments.metrics is None and not arguments.pyiqa:
        return []
    try:
        from benches.official import open_official
        from benches.perceptual import Perceptual
    except ImportError as error:
        raise BenchUsageError(
            f"--metrics and --pyiqa need torch: pip install 'denc[train]' ({error})"
        ) from error
    extras: list[Extra] = []
    if arguments.metrics is not None:
        extras.append(Perceptual(arguments.metrics, arguments.perceptual_frames))
    if arguments.pyiqa:
        names = [name for word in arguments.pyiqa for name in word.split(",") if name]
        official = open_official(names, arguments.perceptual_frames, _note)
        extras += [official] if official is not None else []
    return extras


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(sorted({float(rate) for rate in text.split(",")}))
    except ValueError as error:
        raise BenchUsageError(f"--rates takes numbers separated by commas, not {text}") from error
    if not all(0 < rate < float("inf") for rate in rates):
        raise BenchUsageError(f"--rates takes kbit/s above 0, not {text}")
    return rates


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, not {text!r}")
    return int(text)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
