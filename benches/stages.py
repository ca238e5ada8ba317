"""Time per stage of both programs on this machine, beside plain x265 in the same run.

    python -m benches.stages [--sizes 848x480,1280x720] [--json FILE]

Every stage runs alone, one frame after the other, with all cores to itself: the median of its wall
time and the mean of its CPU time. Live, the stages of both programs overlap. With --live both
daemons also run as they are, for their memory and for the frame rate of the streamer alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tqdm import tqdm

from benches import BenchError
from benches.channels import ANCHOR_PRESET
from benches.demo.processes import Daemon
from benches.demo.sizes import BITRATE_MIN_BPS
from daemon.figures import Figures
from engines.carrier import CarrierEncoder, best_preset
from engines.codec import engine_names, open_encoder, open_restorer
from engines.errors import EngineError
from engines.guide_fitter import open_guide_fitter
from engines.latent import SCALES, Latent
from engines.scale import choose_scale
from engines.weight_store import NO_NETWORK
from link.access_unit import AccessUnit
from link.assembly import assemble
from link.nal import join_annexb, split_annexb
from link.payload import packetize
from streamer.side_info import SideInfoWriter
from streamer.sources.open import DEMO, open_source
from viewer.clock import monotonic_us
from viewer.decoder import StreamDecoder
from viewer.picture import Shown
from viewer.sinks.record import Record
from viewer.timeline import Timeline

SIZES = "480x272,640x360,848x480,1280x720"
FPS = 25.0
BITS_PER_PIXEL = 0.013  # 300 kbit/s at 1280x720: the streamer's default
FRAMES, WARM_UP = 40, 5
STREAMER = ("capture", "network", "carrier", "payload")
VIEWER = ("depayload", "decode", "restore", "sink")
GUIDE = "guide"  # a fit: once a second, beside the rest
GUIDE_EVERY = 5  # frames, here
ANCHOR, ANCHOR_TITLE = "x265", "x265 medium zerolatency, native"  # at the same bitrate
THREADS = 2
ALONE_S = (1.0, 13.0)  # two lengths of stream: their difference leaves out the start
ALONE_RUNS = 2  # of each: the faster counts
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Times:
    """One stage: milliseconds per frame."""

    median_ms: float
    cpu_ms: float  # mean, over all threads


@dataclass(frozen=True)
class Live:
    """Both programs as they run."""

    streamer_fps: float  # alone, as fast as it goes
    streamer_mib: float  # peak resident memory
    viewer_mib: float


@dataclass(frozen=True)
class SizeResult:
    """All stages at one size."""

    size: str
    scale: int
    engine: str
    stages: dict[str, Times]
    live: Live | None

    def total_ms(self, stages: Sequence[str], *, cpu: bool = False) -> float:
        """The sum over some stages."""
        return sum(
            self.stages[name].cpu_ms if cpu else self.stages[name].median_ms for name in stages
        )


@dataclass
class Stopwatch:
    """Collects wall and CPU time by stage; the first frames are not counted."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu.setdefault(name, []).append(time.process_time() - cpu)
        self.wall.setdefault(name, []).append(time.perf_counter() - wall)

    def times(self) -> dict[str, Times]:
        """By stage, after the warm-up."""
        return {
            name: Times(
                1e3 * statistics.median(self.wall[name][WARM_UP:]),
                1e3 * statistics.fmean(self.cpu[name][WARM_UP:]),
            )
            for name in self.wall
        }


def measure_size(
    width: int, height: int, engine: str, scale: int | None, *, live: bool = False
) -> SizeResult:
    """Run FRAMES frames of the demo scene through every stage."""
    bitrate = _bitrate(width, height)
    chosen = scale or choose_scale(width, height, FPS, bitrate)
    encoder = open_encoder(engine, threads=THREADS)
    restorer = open_restorer(engine, encoder.network_id, threads=THREADS)
    fitter = open_guide_fitter(encoder.network_id, threads=1)
    anchor = CarrierEncoder(
        width, height, FPS, bitrate_bps=bitrate, preset=ANCHOR_PRESET, threads=THREADS
    )
    source = open_source(DEMO, (width, height), FPS, paced=False)
    writer, timeline, watch = SideInfoWriter(encoder.network_id), Timeline(), Stopwatch()
    decoder = StreamDecoder(lambda: None, Figures(), monotonic_us)
    carrier: CarrierEncoder | None = None
    with tempfile.TemporaryDirectory(prefix="denc-stages-") as folder:
        sink = Record(Path(folder) / "out.mkv", "high", Figures(), monotonic_us, persists=False)
        for sequence in range(FRAMES + WARM_UP):
            with watch.stage("capture"):
                frame = source.read()
            assert frame is not None
            with watch.stage("network"):
                latent = encoder.encode(frame, scale=chosen, bits=8)
            carrier = carrier or _carrier(latent, bitrate, encoder.network_id != NO_NETWORK)
            with watch.stage("carrier"):
                (coded,) = carrier.encode(latent.planes, latent.number)
                unit = writer.access_unit(coded, latent, FPS)
            with watch.stage("payload"):
                payloads = packetize(split_annexb(unit.data))
            with watch.stage("depayload"):
                data = join_annexb(assemble(payloads) or [])
            with watch.stage("decode"):
                arrived = AccessUnit(data, unit.rtp_timestamp, unit.irap)
                stamped, _ = timeline.stamp(arrived, sequence, len(data), 0)
                (decoded,) = decoder.decode(stamped)
            with watch.stage("restore"):
                (restored,) = restorer.restore([decoded.latent])
            if fitter is not None and sequence % GUIDE_EVERY == 0:
                with watch.stage(GUIDE):
                    fitter.fit(decoded.latent, frame)
            with watch.stage("sink"):
                sink.show(Shown(restored, decoded, restorer.name, 0, 0))
            with watch.stage(ANCHOR):
                anchor.encode(frame.planes, frame.number)
        sink.close()
    source.close()
    both = measure_live(width, height, engine, chosen) if live else None
    return SizeResult(f"{width}x{height}", chosen, restorer.name, watch.times(), both)


def measure_live(width: int, height: int, engine: str, scale: int) -> Live:
    """The streamer alone, into a file as fast as it goes, and the viewer on that file."""
    bitrate = _bitrate(width, height)
    seconds, peaks = dict[float, float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="denc-stages-") as name:
        folder = Path(name)
        for run, duration_s in enumerate(ALONE_S * ALONE_RUNS):
            output = folder / f"{run}.mkv"
            stream = [
                "--source", DEMO, "--size", f"{width}x{height}", "--fps", f"{FPS:g}",
                "--engine", engine, "--scale", str(scale), "--max-bitrate", str(bitrate),
                "--duration", f"{duration_s:g}", "--output", str(output), "--figures-port", "0",
            ]  # fmt: skip
            started = time.perf_counter()
            with Daemon("denc-stream", stream, folder / "stream.log") as streamer:
                streamer.wait(TIMEOUT_S)
            took_s = time.perf_counter() - started
            seconds[duration_s] = min(took_s, seconds.get(duration_s, took_s))
            peaks.append(streamer.peak_mib)
        view = [
            "--input", str(folder / "0.mkv"), "--engine", engine,
            "--record", str(folder / "out.mkv"), "--figures-port", "0",
        ]  # fmt: skip
        with Daemon("denc-view", view, folder / "view.log") as viewer:
            viewer.wait(TIMEOUT_S)
    short_s, long_s = ALONE_S
    frames = (long_s - short_s) * FPS
    return Live(frames / (seconds[long_s] - seconds[short_s]), max(peaks), viewer.peak_mib)


def table(results: Sequence[SizeResult]) -> str:
    """The results as printed: a column per size."""
    lines = [_line("ms per frame, median (CPU ms)", [f"{r.size} x{r.scale}" for r in results])]
    for name in (*STREAMER, *VIEWER):
        cells = [r.stages[name] for r in results]
        lines.append(_line(f"  {name}", [f"{t.median_ms:.1f} ({t.cpu_ms:.1f})" for t in cells]))
    for title, stages in (("streamer", STREAMER), ("viewer", VIEWER), (ANCHOR_TITLE, (ANCHOR,))):
        cells_ms = [(r.total_ms(stages), r.total_ms(stages, cpu=True)) for r in results]
        lines.append(_line(title, [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in cells_ms]))
        lines.append(_line("  frames/s", [f"{1e3 / wall:.0f}" for wall, _ in cells_ms]))
    if all(GUIDE in r.stages for r in results):
        fits = [r.stages[GUIDE] for r in results]
        cells_s = [f"{t.median_ms:.0f} ({t.cpu_ms:.0f})" for t in fits]
        lines.append(_line("guide, ms once a second", cells_s))
    if all(r.live is not None for r in results):
        runs = [r.live for r in results if r.live is not None]
        lines += [
            _line("denc-stream alone, frames/s", [f"{run.streamer_fps:.0f}" for run in runs]),
            _line("denc-stream, peak MiB", [f"{run.streamer_mib:.0f}" for run in runs]),
            _line("denc-view, peak MiB", [f"{run.viewer_mib:.0f}" for run in runs]),
        ]
    engines = ", ".join(sorted({result.engine for result in results}))
    lines.append(f"restored by {engines}; capture is the demo scene, sink is --record")
    return "\n".join(lines)


def _bitrate(width: int, height: int) -> int:
    return max(BITRATE_MIN_BPS, round(BITS_PER_PIXEL * width * height * FPS))


def _carrier(latent: Latent, bitrate_bps: int, restored: bool) -> CarrierEncoder:
    planes = latent.planes
    return CarrierEncoder(
        planes.width,
        planes.height,
        FPS,
        bitrate_bps=bitrate_bps,
        preset=best_preset(latent.scale, restored=restored),
        restored=restored,
        threads=THREADS,
    )


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<34}" + "".join(f"{cell:>18}" for cell in cells)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.stages", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--sizes", default=SIZES, help="default: %(default)s")
    parser.add_argument("--engine", choices=engine_names(), default="auto")
    parser.add_argument("--scale", choices=("auto", *map(str, SCALES)), default="auto")
    parser.add_argument(
        "--live", action="store_true", help="also run the daemons: memory, frames/s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args(argv)
    scale = None if arguments.scale == "auto" else int(arguments.scale)
    results = []
    try:
        for size in tqdm(arguments.sizes.split(","), unit="size"):
            width, _, height = size.partition("x")
            if not (width.isdecimal() and height.isdecimal()):
                raise BenchError(f"--sizes takes WxH,WxH,..., not {size}")
            results.append(
                measure_size(int(width), int(height), arguments.engine, scale, live=arguments.live)
            )
    except (BenchError, EngineError) as error:
        print(f"benches.stages: {error}", file=sys.stderr)
        return 1
    print(table(results))
    if arguments.json:
        document = {"schema": 1, "fps": FPS, "sizes": [asdict(result) for result in results]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
