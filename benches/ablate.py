"""What each part of denc gives: denc as it sends, beside denc with one part changed.

    denc-bench ablate --manifest ../shared/data/dev/manifest.yaml --fast --out runs/ablation

The three compressions of the DeNC++ paper (TinyAE and its scale, the bitwidth of the latent, the
carrier) and what is around them (restoration, guides). The clips, the rates, the measures and the
way from source to screen are those of `denc-bench quality`; the scale at each rate is the one that
denc comes to, so that a row differs in one thing. Points are kept as they are measured; the same
command goes on where it was stopped. Into the folder go ablation.md, ablation.png, the points in
ablation-points/results.json (`benches.points`), and ablation.json, schema 1:

    {"schema": 1,
     "settings": {"clips", "frames", "rates_kbps_720p", "scale", "engine", "network", "points"},
     "rows": [{"part", "label", "method", "against",      fields of `benches.ablation.rows.Row`
               "bd_rate": {"psnr_y": {"percent", "clips"}, ...},       against the method "against"
               "bd_rate_x265": {...}}, ...]}       against x265 medium zerolatency at full size

`percent` is the mean over the clips whose curves overlap, `clips` how many these are; positive
costs more bits at equal quality.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from benches import BenchUsageError
from benches.ablation.configurations import DEFAULT, Configuration, Part, configurations
from benches.ablation.measuring import POINTS_FOLDER, Ablation, measure_all
from benches.ablation.plot import ablation_plot
from benches.ablation.rows import Row, rows_of
from benches.ablation.table import markdown, text
from benches.clip_bench import THREADS, Extra
from benches.methods import Variant
from benches.quality import entries_of
from benches.views import open_views
from engines.codebook import BITS_MAX
from engines.codec import AUTO
from engines.condition import FIDELITY
from engines.evaluation.clips import ClipEntry
from engines.latent import SCALES
from engines.weight_store import WeightStore

SCHEMA = 1
RATES_KBPS = (80.0, 150.0, 300.0, 600.0)  # 720p-equivalent
PERCEPTUAL_FRAMES = 8  # of each clip: a whole cycle of qualities


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `denc-bench ablate` takes."""
    parser.add_argument("clip", nargs="*", type=Path, metavar="CLIP", help="video files")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="YAML list of clips")
    parser.add_argument("--fast", action="store_true", help="the fast subset, 48 frames of each")
    parser.add_argument("--clips", metavar="NAMES", help="only these of the manifest, by name")
    parser.add_argument("--frames", type=int, metavar="N", help="at most so many of each clip")
    parser.add_argument(
        "--parts", default=",".join(part.value for part in Part),
        help="of denc that are changed (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--rates", nargs="+", type=float, default=RATES_KBPS, metavar="KBPS",
        help=f"720p-equivalent (default: {' '.join(f'{rate:g}' for rate in RATES_KBPS)})",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=(AUTO, *map(str, SCALES)), default=AUTO,
        help="of every row that changes something else; 2 shows most of what latents give, as at"
        " scale 1, which auto may come to, there is none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--fidelity", type=float, default=FIDELITY, help="default: %(default)s")
    parser.add_argument(
        "--metrics", type=Path, metavar="FOLDER",
        help=f"weights of LPIPS-sq and DISTS-vgg, on {PERCEPTUAL_FRAMES} frames of each clip;"
        " needs torch",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("runs/ablation"), metavar="DIR",
        help="default: %(default)s",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, write; the exit code."""
    if not 0 <= arguments.fidelity <= 1 or not all(rate > 0 for rate in arguments.rates):
        raise BenchUsageError("--fidelity takes a number from 0 to 1, --rates numbers above 0")
    if arguments.frames is not None and arguments.frames < 1:
        raise BenchUsageError(f"--frames takes a number from 1, not {arguments.frames}")
    entries = entries_of(arguments)
    (view,) = open_views([Variant(AUTO, arguments.fidelity)], THREADS)
    rows = _wanted(arguments.parts.split(","))
    scale = None if arguments.scale == AUTO else int(arguments.scale)
    rates = tuple(sorted(set(arguments.rates)))
    ablation = Ablation(view, rows, rates, _extras(arguments.metrics), scale)
    with tqdm(total=len(entries) * len(ablation.wanted), unit="point") as bar:

        def progress(text: str) -> None:
            bar.set_postfix_str(text)
            bar.update()

        points = measure_all(ablation, entries, arguments.out, progress)
    found = rows_of(points, rows)
    print(text(found, len(entries)))
    _write(arguments.out, found, entries, _settings(entries, ablation))
    print(f"kept in {arguments.out}: ablation.json, ablation.md, ablation.png, {POINTS_FOLDER}/")
    return 0


def _wanted(parts: Sequence[str]) -> tuple[Configuration, ...]:
    """The rows of some parts, and what they are compared with."""
    known = [part.value for part in Part]
    if unknown := set(parts) - set(known):
        raise BenchUsageError(f"--parts: no {', '.join(unknown)}; known: {', '.join(known)}")
    rows = configurations(WeightStore().codebook(BITS_MAX))
    needed = {DEFAULT, *(row.against for row in rows if row.part.value in parts)}
    return tuple(row for row in rows if row.part.value in parts or row.method in needed)


def _extras(folder: Path | None) -> tuple[Extra, ...]:
    if folder is None:
        return ()
    try:
        from benches.perceptual import Perceptual
    except ImportError as error:
        raise BenchUsageError(f"--metrics needs torch: make setup-train ({error})") from error
    return (Perceptual(folder, PERCEPTUAL_FRAMES),)


def _settings(entries: Sequence[ClipEntry], ablation: Ablation) -> dict[str, object]:
    return {
        "clips": [entry.name for entry in entries],
        "frames": [entry.frames for entry in entries],
        "rates_kbps_720p": list(ablation.rates_kbps),
        "scale": ablation.scale or AUTO,
        "engine": ablation.view.method,
        "network": ablation.view.network,
        "points": f"{POINTS_FOLDER}/results.json",
    }


def _write(
    out: Path, rows: Sequence[Row], entries: Sequence[ClipEntry], settings: dict[str, object]
) -> None:
    document = {"schema": SCHEMA, "settings": settings, "rows": [asdict(row) for row in rows]}
    (out / "ablation.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (out / "ablation.md").write_text(markdown(rows, len(entries)), encoding="utf-8")
    if any(row.bd_rate for row in rows):
        ablation_plot(rows, out / "ablation.png")
