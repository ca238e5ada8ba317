"""Both daemons for a long time on this machine: does memory stay flat, and latency?

    denc-bench soak [--seconds 600] [--size 320x180] [--fps 12.5] [--json FILE] [--plot FILE.png]

Resident memory of each program, and the viewer's latency (p50 over a minute), every few seconds;
the slope is a straight line through the second half. At the end where the time of a picture went
in the last minute. Linux only.

The JSON file: {"seconds", "size", "fps", "samples": [{"at_s", "streamer_mib", "viewer_mib",
"latency_ms"}, ...], "slope_mib_per_min": {"streamer", "viewer"}, "frames": {"shown", "dropped",
"lost"}, "stages": {"sender_ms": {"p50", "p95"}, ...}}; latency is null while nothing is shown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benches import BenchError
from benches.demo.processes import Daemon, free_port
from streamer.sources.open import DEMO
from viewer.latency import STAGE_FIGURES

EVERY_S = 5.0
STAGES = (*STAGE_FIGURES, "sink_ms")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Of one moment."""

    at_s: float
    streamer_mib: float
    viewer_mib: float
    latency_ms: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `denc-bench soak` takes."""
    parser.add_argument("--seconds", type=float, default=600.0, help="default: %(default)g")
    parser.add_argument("--size", default="320x180", help="WxH (default: %(default)s)")
    parser.add_argument("--fps", type=float, default=12.5, help="default: %(default)s")
    parser.add_argument("--source", default=DEMO, help="a video file (default: the demo scene)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Run both, print what became of them; the exit code."""
    samples, figures = _run(arguments)
    slopes = {
        "streamer": _slope([(s.at_s, s.streamer_mib) for s in samples]),
        "viewer": _slope([(s.at_s, s.viewer_mib) for s in samples]),
    }
    frames = {name: figures.get(f"frames_{name}", 0) for name in ("shown", "dropped", "lost")}
    stages = {name: figures[name] for name in STAGES if name in figures}
    last = samples[-1]
    print(f"{last.at_s:.0f} s of {arguments.size} at {arguments.fps:g} frames/s: {frames}")
    print(f"denc-stream {last.streamer_mib:.0f} MiB, {slopes['streamer']:+.2f} MiB a minute")
    print(f"denc-view {last.viewer_mib:.0f} MiB, {slopes['viewer']:+.2f} MiB a minute")
    print("where the time goes, ms (p95):", ", ".join(map(_stage, stages.items())))
    if arguments.json:
        document = {
            "seconds": arguments.seconds,
            "size": arguments.size,
            "fps": arguments.fps,
            "samples": [asdict(sample) for sample in samples],
            "slope_mib_per_min": slopes,
            "frames": frames,
            "stages": stages,
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        _draw(samples, stages, arguments.plot)
    return 0


def _run(arguments: argparse.Namespace) -> tuple[list[Sample], dict[str, Any]]:
    port = free_port()
    view_figures, stream_figures = free_port(), free_port()
    view = [
        "--listen", f"127.0.0.1:{port}", "--headless", "--figures-port", str(view_figures),
    ]  # fmt: skip
    stream = [
        "--source", arguments.source, "--loop", "--peer", f"127.0.0.1:{port}",
        "--size", arguments.size, "--fps", f"{arguments.fps:g}",
        "--figures-port", str(stream_figures),
    ]  # fmt: skip
    samples: list[Sample] = []
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="denc-soak-") as name:
        folder = Path(name)
        with Daemon("denc-view", view, folder / "view.log") as viewer:
            viewer.wait_listening(port)
            with Daemon("denc-stream", stream, folder / "stream.log") as streamer:
                streamer.wait_listening(stream_figures)
                start_s = time.monotonic()
                while (at_s := time.monotonic() - start_s) < arguments.seconds:
                    for daemon in (viewer, streamer):
                        if reason := daemon.exit_reason():
                            raise BenchError(reason)
                    figures = _figures(view_figures)
                    latency = figures.get("latency_ms", {}).get("p50")
                    streamer_mib = _mib(_figures(stream_figures))
                    samples.append(Sample(at_s, streamer_mib, _mib(figures), latency))
                    time.sleep(EVERY_S)
    return samples, figures


def _figures(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/figures.json", timeout=30) as reply:
        document: dict[str, Any] = json.load(reply)
    return document


def _mib(figures: Mapping[str, Any]) -> float:
    """Resident memory, as the program tells it itself."""
    if "process_memory_bytes" not in figures:
        raise BenchError("the system does not tell how much memory a program has")
    return float(figures["process_memory_bytes"]) / MIB


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """MiB a minute, over the second half."""
    half = points[len(points) // 2 :]
    if len(half) < 2:
        return 0.0
    at_s, mib = zip(*half, strict=True)
    return 60 * float(np.polyfit(at_s, mib, 1)[0])


def _stage(stage: tuple[str, dict[str, float]]) -> str:
    name, value = stage
    return f"{name.removesuffix('_ms')} {value['p50']:.1f} ({value['p95']:.1f})"


def _draw(samples: Sequence[Sample], stages: Mapping[str, Mapping[str, float]], path: Path) -> None:
    figure = Figure(figsize=(12, 3.2))
    memory, latency, where = figure.subplots(1, 3)
    names = [name.removesuffix("_ms").replace("_", " ") for name in stages][::-1]
    values = list(stages.values())[::-1]
    where.barh(names, [value["p95"] for value in values], color="#f8bbd0", label="p95")
    where.barh(names, [value["p50"] for value in values], color="#c2185b", label="p50")
    where.set_title("where the time goes, ms")
    where.legend(frameon=False)
    minutes = [sample.at_s / 60 for sample in samples]
    lines: dict[str, Callable[[Sample], float | None]] = {
        "denc-stream": lambda sample: sample.streamer_mib,
        "denc-view": lambda sample: sample.viewer_mib,
    }
    for name, value in lines.items():
        memory.plot(minutes, [value(sample) for sample in samples], label=name)
    memory.set_ylim(bottom=0)
    memory.set_title("resident memory, MiB")
    memory.legend(frameon=False)
    shown = [(s.at_s / 60, s.latency_ms) for s in samples if s.latency_ms is not None]
    latency.plot(*zip(*shown, strict=True), color="#c2185b")
    latency.set_ylim(bottom=0)
    latency.set_title("latency, ms (p50 over a minute)")
    for axis in (memory, latency):
        axis.set_xlabel("minutes")
    for axis in figure.axes:
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
