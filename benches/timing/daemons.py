"""Both programs as they are: the streamer's frame rate alone, and the memory of each."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benches.demo.processes import Daemon
from benches.timing.stages import FPS, Setting

ALONE_S = (1.0, 13.0)  # two lengths of stream: their difference leaves out the start
ALONE_RUNS = 2  # of each: the faster counts
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class DaemonSpeed:
    """Both programs as they run."""

    streamer_fps: float  # alone, as fast as it goes
    streamer_mib: float  # peak resident memory
    viewer_mib: float


def daemon_speed(setting: Setting) -> DaemonSpeed:
    """The streamer alone, into a file as fast as it goes, and the viewer on that file.

    Raises BenchError when one of them fails.
    """
    seconds, peaks = dict[float, float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="denc-speed-") as name:
        folder = Path(name)
        for run, duration_s in enumerate(ALONE_S * ALONE_RUNS):
            output = folder / f"{run}.mkv"
            stream = [
                "--source", setting.source, "--loop", "--size", setting.size, "--fps", f"{FPS:g}",
                "--engine", setting.engine, "--scale", str(setting.first_scale),
                "--max-bitrate", str(setting.bitrate_bps), "--duration", f"{duration_s:g}",
                "--output", str(output), "--figures-port", "0",
            ]  # fmt: skip
            started = time.perf_counter()
            with Daemon("denc-stream", stream, folder / "stream.log") as streamer:
                streamer.wait(TIMEOUT_S)
            took_s = time.perf_counter() - started
            seconds[duration_s] = min(took_s, seconds.get(duration_s, took_s))
            peaks.append(streamer.peak_mib)
        view = [
            "--input", str(folder / "0.mkv"), "--engine", setting.engine,
            "--record", str(folder / "out.mkv"), "--figures-port", "0",
        ]  # fmt: skip
        with Daemon("denc-view", view, folder / "view.log") as viewer:
            viewer.wait(TIMEOUT_S)
    short_s, long_s = ALONE_S
    frames = (long_s - short_s) * FPS
    return DaemonSpeed(frames / (seconds[long_s] - seconds[short_s]), max(peaks), viewer.peak_mib)
