"""The reconstruction buffer: batches of N, decoding apart from restoring or not, and an overload.

    denc-bench buffer [--size 640x360] [--batches 1,2,4,8,16] [--runtimes onnx,torch]
                      [--slow 10] [--json FILE] [--plot FILE.png]

DiffVC-RT's Table 7 on the runtimes at hand, and what becomes of latency when restoring takes
--slow times as long as the pictures are apart.

The JSON file: {"size", "engine", "frames", "rounds", "runtimes": [{"runtime", "serial_per_s",
"batches": [{"batch", "batch_ms", "pictures_per_s", "viewer_per_s"}, ...]}, ...], "slow":
{"factor", "budget_ms", "sent", "dropped", "slope_ms_per_min", "latencies_ms": [[s, ms], ...]}}
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from benches import BenchUsageError
from benches.speed import batches_of, size_of
from benches.timing.buffering import RuntimeTimes, SlowRun, coded_units, run_slow, time_buffer
from benches.timing.runtimes import RUNTIMES, open_runtimes
from benches.timing.stages import Setting
from engines.codec import AUTO, engine_names
from streamer.sources.open import DEMO
from viewer.config import LATENCY_BUDGET_MS

FRAMES, ROUNDS = 32, 3
SLOW_S = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `denc-bench buffer` takes."""
    parser.add_argument("--size", default="640x360", help="WxH (default: %(default)s)")
    parser.add_argument(
        "--engine", default=AUTO, choices=engine_names(), help="default: %(default)s"
    )
    parser.add_argument(
        "--runtimes", default=",".join(RUNTIMES),
        help="those that are not on this machine are left out (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--batches", default="1,2,4,8,16", help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=FRAMES, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--source", default=DEMO, help="a video file (default: the demo scene)")
    parser.add_argument(
        "--slow", type=float, default=10.0, metavar="TIMES",
        help="of the overload; 0 leaves it out (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--slow-seconds", type=float, default=SLOW_S, help="how long it lasts (%(default)g)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, write; the exit code."""
    if arguments.frames < 2 or arguments.rounds < 1 or arguments.slow < 0:
        raise BenchUsageError("--frames takes numbers from 2, --rounds from 1, --slow from 0")
    width, height = size_of(arguments.size)
    batches = batches_of(arguments.batches)
    setting = Setting(
        width, height, arguments.engine, None, batches, arguments.frames, arguments.source
    )
    makers, missing = open_runtimes(arguments.runtimes.split(","))
    for line in missing:
        print(line)
    steps = arguments.rounds * len(makers) * (1 + len(batches))
    with tqdm(total=steps, unit="run") as bar:
        results = time_buffer(setting, makers, arguments.rounds, bar.update)
    print("\n".join(_table(results)))
    slow = None
    if arguments.slow:
        _, units = coded_units(Setting(192, 112, arguments.engine, 2, (1,), 50, DEMO))
        slow = run_slow(units, arguments.slow, LATENCY_BUDGET_MS, arguments.slow_seconds)
        print(_told(slow))
    if arguments.json:
        document = {
            "size": arguments.size,
            "engine": arguments.engine,
            "frames": arguments.frames,
            "rounds": arguments.rounds,
            "runtimes": [asdict(result) for result in results],
            "slow": slow and asdict(slow) | {"slope_ms_per_min": slow.slope_ms_per_min},
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        _draw(results, slow, arguments.plot)
    return 0


def _table(results: Sequence[RuntimeTimes]) -> list[str]:
    lines = [f"{'':24}{'ms a batch':>12}{'pictures/s':>12}{'with decoding':>15}{'over serial':>13}"]
    for result in results:
        serial = result.serial_per_s
        lines.append(f"{result.runtime + ', serial':24}{'':24}{serial:15.1f}{1:13.2f}")
        lines += [
            f"{f'{result.runtime}, apart, N = {row.batch}':24}{row.batch_ms:12.1f}"
            f"{row.pictures_per_s:12.1f}{row.viewer_per_s:15.1f}{row.viewer_per_s / serial:13.2f}"
            for row in result.batches
        ]
    return lines


def _told(slow: SlowRun) -> str:
    latencies = sorted(latency for at_s, latency in slow.latencies_ms if at_s > 1)
    middle, most = (latencies[len(latencies) // 2], latencies[-1]) if latencies else (0.0, 0.0)
    slope = slow.slope_ms_per_min
    return (
        f"restoring takes {slow.factor:g} times too long: {len(slow.latencies_ms)} of {slow.sent}"
        f" pictures shown, {slow.dropped} dropped, latency from arrival p50 {middle:.0f} ms,"
        f" at most {most:.0f} ms (budget {slow.budget_ms}), slope {slope:+.0f} ms a minute"
    )


def _draw(results: Sequence[RuntimeTimes], slow: SlowRun | None, path: Path) -> None:
    figure = Figure(figsize=(12, 3.4))
    rate, batch, overload = figure.subplots(1, 3)
    for result in results:
        sizes = [row.batch for row in result.batches]
        (line,) = rate.plot(
            sizes, [row.viewer_per_s for row in result.batches], "o-", label=result.runtime
        )
        rate.axhline(
            result.serial_per_s, ls=":", color=line.get_color(), label=f"{result.runtime}, serial"
        )
        batch.plot(sizes, [row.batch_ms for row in result.batches], "o-", label=result.runtime)
    rate.set_title("decoded and restored, pictures/s")
    batch.set_title("one batch, ms")
    for axis in (rate, batch):
        axis.set_xlabel("N")
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=8)
    if slow is not None:
        overload.plot(*zip(*slow.latencies_ms, strict=True), ".-", color="#c2185b")
        overload.set_title(f"{slow.factor:g} times too slow: latency, ms")
        overload.set_xlabel(f"seconds; {slow.dropped} of {slow.sent} pictures dropped")
        overload.set_ylim(bottom=0)
    for axis in figure.axes:
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
