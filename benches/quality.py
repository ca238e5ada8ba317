"""Quality per bit: denc as it really sends, beside x265 medium at the same latency.

    python -m benches.quality --manifest ../shared/data/dev/manifest.yaml --fast --out DIR

For each clip and target rate: the CRF that meets the rate is searched for each channel
(`benches.rates`), the stream goes through the real access units and the viewer's decoder
(`benches.channels`), and what comes out is measured against the source. Every point is kept in
DIR/results.json as soon as it is measured; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from benches import BenchError, crops, plots, summary
from benches.channels import (
    ANCHOR_PRESET,
    DENC,
    LANCZOS,
    X265,
    X265_HALF,
    Channel,
    DencChannel,
    LatentMaker,
    LatentRestorer,
    X265Channel,
)
from benches.points import Point, ResultsFile, hd_factor
from benches.rates import RateSearch
from engines.carrier import RESTORED_PARAMS, RESTORED_PRESETS
from engines.codec import engine_names, open_encoder, open_restorer
from engines.condition import FIDELITY
from engines.detail import lost_detail
from engines.errors import EngineError
from engines.evaluation.clips import Clip, ClipEntry, read_clip, read_manifest, shortened
from engines.evaluation.measures import measure
from engines.frame import Planes
from engines.latent import SCALES
from engines.scale import (
    COARSER_ABOVE_QP,
    DETAIL_RANGE,
    FINER_BELOW_QP,
    QP_PER_OCTAVE,
    SCALE_LADDER,
    better_scale,
    choose_scale,
)
from engines.weight_store import WEIGHTS_FOLDER

if TYPE_CHECKING:
    from benches.perceptual import Perceptual

RATES_KBPS = (75.0, 150.0, 300.0, 600.0)  # 720p-equivalent
PERCEPTUAL_FRAMES = 4  # of each clip
THREADS = 2
AUTO_SCALE = (
    f"auto {SCALE_LADDER} {COARSER_ABOVE_QP} {FINER_BELOW_QP}"
    f" by detail {DETAIL_RANGE} {QP_PER_OCTAVE}"
)


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    rates_kbps: tuple[float, ...] = RATES_KBPS  # 720p-equivalent
    scale: int | None = None  # None: as the streamer would choose at the rate
    bits: int = 8
    fidelity: float = FIDELITY  # of the restorer
    guided: bool = True  # the sender fits the restorer to the picture
    network: str = "none"  # names the networks in the results; points of other ones are not reused

    def scale_at(self, clip: Clip, rate_kbps: float) -> int:
        """The scale that denc starts with for a clip at a 720p-equivalent rate."""
        if self.scale is not None:
            return self.scale
        bitrate = rate_kbps * 1000 / hd_factor(clip.width, clip.height)
        return choose_scale(clip.width, clip.height, clip.fps, round(bitrate))


class ClipBench:
    """Measures one clip; channels and their streams are made when first needed."""

    def __init__(
        self,
        clip: Clip,
        plan: Plan,
        encoder: LatentMaker,
        restorer: LatentRestorer,
        perceptual: Perceptual | None = None,
    ) -> None:
        self.clip = clip
        self._plan = plan
        self._halves = encoder, restorer
        self._perceptual = perceptual
        self._channels: dict[tuple[str, int], tuple[Channel, RateSearch]] = {}
        self._lost = lost_detail(clip.pictures[len(clip.pictures) // 2].y)

    def measure(self, method: str, rate_kbps: float, source: str) -> tuple[Point, list[Planes]]:
        """One point, and the pictures that it was measured on."""
        clip, factor = self.clip, hd_factor(self.clip.width, self.clip.height)
        channel, search = self._channel(method, rate_kbps)
        crf, stream = search.at(self._bits_at(rate_kbps))
        started = time.perf_counter()
        pictures = channel.show(stream, method)
        show_s = time.perf_counter() - started
        found = measure(pictures, clip.pictures, threads=THREADS)
        kbps = stream.bits / clip.seconds / 1000
        seen: dict[str, float] = {}
        if self._perceptual is not None:
            seen = asdict(self._perceptual.measure(pictures, clip.pictures))
        point = Point(
            clip=clip.name,
            method=method,
            source=source,
            target_kbps=rate_kbps,
            kbps=kbps,
            kbps_720p=kbps * factor,
            frames=len(clip.pictures),
            scale=channel.scale,
            crf=crf,
            qp=stream.qp,
            psnr_y=found.psnr_y,
            vmaf=found.vmaf,
            vmaf_neg=found.vmaf_neg,
            encode_ms=1e3 * stream.encode_s / len(clip.pictures),
            show_ms=1e3 * show_s / len(clip.pictures),
            lpips_sq=seen.get("lpips_sq"),
            dists_vgg=seen.get("dists_vgg"),
            perceptual_frames=perceptual_frames(self._perceptual, len(clip.pictures)),
        )
        return point, pictures

    def _channel(self, method: str, rate_kbps: float) -> tuple[Channel, RateSearch]:
        name = {LANCZOS: DENC}.get(method, method)
        if name != DENC:
            return self._opened(name, 1)
        scale, seen = self._plan.scale_at(self.clip, rate_kbps), set[int]()
        while self._plan.scale is None and scale not in seen:  # as `streamer.scale_control` does
            seen.add(scale)
            _, search = self._opened(name, scale)
            _, stream = search.at(self._bits_at(rate_kbps))
            scale = better_scale(scale, stream.qp, self._lost)
        return self._opened(name, scale)

    def _bits_at(self, rate_kbps: float) -> float:
        factor = hd_factor(self.clip.width, self.clip.height)
        return rate_kbps * 1000 / factor * self.clip.seconds

    def _opened(self, name: str, scale: int) -> tuple[Channel, RateSearch]:
        if (name, scale) not in self._channels:
            channel: Channel
            if name == DENC:
                channel = DencChannel(
                    self.clip, *self._halves, scale, self._plan.bits, guided=self._plan.guided
                )
            else:
                channel = X265Channel(self.clip, 2 if name == X265_HALF else 1)
            self._channels[name, scale] = channel, RateSearch(channel.encode)
        return self._channels[name, scale]


def perceptual_frames(perceptual: Perceptual | None, frames: int) -> int:
    """How many frames of a clip the perceptual measures look at."""
    return 0 if perceptual is None else len(perceptual.frames_of(frames))


def source_of(method: str, plan: Plan, entry: ClipEntry, sampled: int) -> str:
    """What a point depends on, for `Point.source`."""
    parts = [f"{entry.frames} frames from {entry.start}", f"{sampled} perceptual"]
    if method not in (DENC, LANCZOS):
        parts += [f"x265 {ANCHOR_PRESET}"]
    else:
        parts += [f"x265 {RESTORED_PRESETS} {RESTORED_PARAMS}"]
        if method == DENC:
            parts += [f"fidelity {plan.fidelity:g}"]
        if plan.guided:
            parts += ["guided"]
        parts += [plan.network, f"scale {plan.scale or AUTO_SCALE}", f"{plan.bits} bits"]
    return ", ".join(parts)


def run(
    entries: Sequence[ClipEntry],
    plan: Plan,
    encoder: LatentMaker,
    restorer: LatentRestorer,
    out: Path,
    perceptual: Perceptual | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Point]:
    """Measure every clip at every rate into the folder `out`; the points, old and new.

    `progress` is told of each point. Writes results.json, plots and crops.
    """
    results = ResultsFile(out, {**asdict(plan), "clips": [entry.name for entry in entries]})
    wanted = list(_wanted(entries, plan))
    results.keep_only({(entry.name, method, rate) for entry, method, rate in wanted})
    shown_rate = crops.rate_of(plan.rates_kbps)
    bench: ClipBench | None = None
    for entry, method, rate in wanted:
        source = source_of(method, plan, entry, perceptual_frames(perceptual, entry.frames))
        lacks_crop = rate == shown_rate and not crops.is_kept(out, entry.name, method, rate)
        if lacks_crop or results.find(entry.name, method, rate, source) is None:
            if bench is None or bench.clip.name != entry.name:
                bench = ClipBench(read_clip(entry), plan, encoder, restorer, perceptual)
            point, pictures = bench.measure(method, rate, source)
            if rate == shown_rate:
                crops.keep(out, point, bench.clip, pictures)
            results.add(point)
        progress(f"{entry.name} {method} {rate:g}")
    results.set_summary(
        {
            "means": [asdict(row) for row in summary.table(results.points)],
            "bd_rate_of_denc": {
                anchor: {name: asdict(value) for name, value in found.items()}
                for anchor, found in summary.bd_rates(results.points).items()
            },
        }
    )
    plots.mean_plot(results.points, out / "mean.png")
    for entry in entries:
        plots.clip_plot(results.points, entry.name, out / f"{entry.name}.png")
    crops.comparison(out, results.points, shown_rate)
    return results.points


def _wanted(entries: Sequence[ClipEntry], plan: Plan) -> Iterator[tuple[ClipEntry, str, float]]:
    for entry in entries:
        for rate in plan.rates_kbps:
            for method in (X265, X265_HALF, LANCZOS, DENC):
                yield entry, method, rate


def network_name(engine: str) -> str:
    """The engine and a hash of all installed weights: what a denc point depends on."""
    digest = hashlib.sha256()
    for path in sorted(WEIGHTS_FOLDER.glob("*")):
        digest.update(path.read_bytes())
    return f"{engine}@{digest.hexdigest()[:12]}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benches.quality", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--manifest", type=Path, required=True, help="YAML list of clips")
    parser.add_argument("--fast", action="store_true", help="the fast subset, 48 frames of each")
    parser.add_argument("--out", type=Path, required=True, help="folder for results and pictures")
    parser.add_argument("--clips", help="only these, by name, separated by commas")
    parser.add_argument("--frames", type=int, help="at most so many frames of each clip")
    parser.add_argument("--engine", choices=engine_names(), default="auto")
    parser.add_argument("--scale", choices=("auto", *map(str, SCALES)), default="auto")
    parser.add_argument("--fidelity", type=float, default=FIDELITY, help="0..1")
    parser.add_argument("--no-guide", action="store_true", help="as with denc-stream --no-guide")
    parser.add_argument("--bits", type=int, choices=range(4, 9), default=8)
    parser.add_argument(
        "--rates", default=",".join(f"{rate:g}" for rate in RATES_KBPS),
        help="720p-equivalent kbit/s, separated by commas (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--metrics",
        type=Path,
        help="folder with the weights of LPIPS-sq and DISTS-vgg; needs torch",
    )
    parser.add_argument("--perceptual-frames", type=int, default=PERCEPTUAL_FRAMES)
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.fidelity <= 1:
        parser.error(f"--fidelity takes a number from 0 to 1, not {arguments.fidelity:g}")
    return arguments


def _entries(arguments: argparse.Namespace) -> list[ClipEntry]:
    entries = read_manifest(arguments.manifest, fast=arguments.fast)
    if arguments.clips:
        names = arguments.clips.split(",")
        unknown = set(names) - {entry.name for entry in entries}
        if unknown:
            raise BenchError(f"no such clip: {', '.join(sorted(unknown))}")
        entries = [entry for entry in entries if entry.name in names]
    if arguments.frames:
        entries = [shortened(entry, arguments.frames) for entry in entries]
    return entries


def _perceptual(arguments: argparse.Namespace) -> Perceptual | None:
    if arguments.metrics is None:
        return None
    try:
        from benches.perceptual import Perceptual
    except ImportError as error:
        raise BenchError(f"--metrics needs torch: make setup-train ({error})") from error
    return Perceptual(arguments.metrics, arguments.perceptual_frames)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    arguments = _arguments(argv)
    try:
        entries = _entries(arguments)
        rates = tuple(float(rate) for rate in arguments.rates.split(","))
        plan = Plan(
            rates_kbps=rates,
            scale=None if arguments.scale == "auto" else int(arguments.scale),
            bits=arguments.bits,
            fidelity=arguments.fidelity,
            guided=not arguments.no_guide,
            network=network_name(arguments.engine),
        )
        encoder = open_encoder(arguments.engine, threads=THREADS)
        restorer = open_restorer(
            arguments.engine, encoder.network_id, threads=THREADS, fidelity=arguments.fidelity
        )
        if restorer.reason:
            print(f"note: {restorer.reason}", file=sys.stderr)
        with tqdm(total=len(list(_wanted(entries, plan))), unit="point") as bar:

            def progress(text: str) -> None:
                bar.set_postfix_str(text)
                bar.update()

            points = run(
                entries, plan, encoder, restorer, arguments.out, _perceptual(arguments), progress
            )
    except (BenchError, EngineError) as error:
        print(f"benches.quality: {error}", file=sys.stderr)
        return 1
    print(summary.text(points))
    print(f"kept in {arguments.out}: results.json, mean.png, a plot per clip, crops.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
