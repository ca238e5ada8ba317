"""Latency end to end on one clock, told by a number that is burnt into every frame."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import streamer.app
import viewer.app
from benches.demo.processes import free_port
from daemon.config import load
from daemon.figures import Figures
from engines.codec import AUTO, engine_names
from engines.frame import Frame, Planes
from streamer.config import StreamerConfig
from tests.net import time_code
from viewer.config import ViewerConfig
from viewer.latency import STAGE_FIGURES
from viewer.picture import Shown

WIDTH, HEIGHT, FPS = 320, 180, 12.5
SECONDS, WARM_UP = 8.0, 25  # frames
LATENCY_MAX_MS = 120.0  # beside one inference
TRIES = 3
RTP_TICK_US = 12
STALL_MAX_MS = 25.0  # of a thread that only sleeps: the machine itself stands still


@dataclass
class Camera:
    """A source that draws its frames' numbers and remembers when each was made."""

    made_us: list[int] = field(default_factory=list)
    name: str = "counter"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    fps: float = FPS
    live: bool = True
    start_s: float = field(default_factory=time.monotonic)

    def read(self) -> Frame | None:
        number = len(self.made_us)
        time.sleep(max(0.0, self.start_s + number / FPS - time.monotonic()))
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        luma = (128 + 60 * np.sin((columns + 3 * number) / 17) * np.cos(rows / 11)).astype(np.uint8)
        time_code.draw(luma, number)
        half = HEIGHT // 2, WIDTH // 2
        now_us = time.time_ns() // 1000
        self.made_us.append(now_us)
        planes = Planes(luma, np.full(half, 120, np.uint8), np.full(half, 135, np.uint8))
        return Frame(planes, number, now_us)

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class Eye:
    """A sink that reads the numbers: which picture was shown when."""

    path: Path
    name: str = "eye"
    capacity: int = 32

    def show(self, value: Shown) -> None:
        SEEN.append((time.time_ns() // 1000, time_code.read(value.frame.planes.y), value))

    def close(self) -> None:
        """Nothing is held."""


SEEN: list[tuple[int, int | None, Shown]] = []


class Pulse:
    """How long the machine lets a sleeping thread wait beyond its time, ms."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The 95th percentile."""
        self._stop.set()
        self._thread.join()
        return float(np.percentile(self.late_ms, 95))

    def _run(self) -> None:
        while not self._stop.is_set():
            before = time.perf_counter()
            time.sleep(0.01)
            self.late_ms.append((time.perf_counter() - before) * 1e3 - 10)


@dataclass(frozen=True)
class Run:
    latencies_ms: list[float]  # by the burnt-in numbers
    told_ms: list[float]  # by the viewer
    captured_us: list[tuple[int, int]]  # of the burnt-in number, and as the stream tells
    figures: Figures
    stall_ms: float

    def p50(self, name: str) -> float:
        value = self.figures.snapshot()[name]
        assert isinstance(value, dict)
        return value["p50"]


async def run_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    camera, figures, port = Camera(), Figures(), free_port()
    SEEN.clear()
    monkeypatch.setattr(streamer.app, "open_source", lambda *_, **__: camera)
    monkeypatch.setattr("viewer.place.FrameLog", Eye)
    monkeypatch.setattr(viewer.app, "Figures", lambda: figures)
    here = f"127.0.0.1:{port}"
    network = next(name for name in engine_names() if name != AUTO)
    view = {
        "listen": here, "headless": True, "figures_port": 0, "engine": network,
        "log_frames": str(folder / "frames.csv"), "state": str(folder / "state"),
    }  # fmt: skip
    stream = {
        "source": "demo:", "peer": here, "figures_port": 0, "duration": SECONDS, "scale": "2",
        "state": str(folder / "state"), "guide": False,
    }  # fmt: skip
    stop, pulse = asyncio.Event(), Pulse()
    viewing = asyncio.create_task(viewer.app.view(load(ViewerConfig, None, view), stop))
    try:
        config = load(StreamerConfig, None, stream)
        await asyncio.wait_for(streamer.app.stream(config, asyncio.Event()), SECONDS + 30)
    finally:
        stall_ms = pulse.stop()
        stop.set()
        await asyncio.wait_for(viewing, 30)
    seen = [(at_us, n, shown) for at_us, n, shown in SEEN[WARM_UP:] if n is not None]
    return Run(
        [(at_us - camera.made_us[n]) / 1e3 for at_us, n, _ in seen],
        [shown.latency_us / 1e3 for _, _, shown in seen],
        [(camera.made_us[n], shown.frame.captured_us) for _, n, shown in seen],
        figures,
        stall_ms,
    )


async def test_latency_by_burnt_in_numbers_is_short_and_what_the_viewer_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attempt in range(TRIES):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        run = await run_both(folder, monkeypatch)
        check_truth(run)
        p95_ms = float(np.percentile(run.latencies_ms, 95)) if run.latencies_ms else float("inf")
        if p95_ms <= LATENCY_MAX_MS + run.p50("restore_ms"):
            break
        if attempt == TRIES - 1 and run.stall_ms > STALL_MAX_MS:
            pytest.skip(f"the machine is too busy: sleeping takes {run.stall_ms:.0f} ms too long")
    assert p95_ms <= LATENCY_MAX_MS + run.p50("restore_ms")
    assert len(run.latencies_ms) > SECONDS * FPS / 2, "pictures are shown, and can be read"
    stages_ms = sum(run.p50(name) for name in STAGE_FIGURES)
    assert stages_ms == pytest.approx(statistics.median(run.told_ms), rel=0.35, abs=10)


def check_truth(run: Run) -> None:
    """What the viewer says is what the numbers say, however busy the machine is."""
    wrong_us = [abs(made_us - told_us) for made_us, told_us in run.captured_us]
    assert max(wrong_us, default=0) <= 2 * RTP_TICK_US
    snapshot = run.figures.snapshot()
    offset_ms, uncertainty_ms = snapshot["clock_offset_ms"], snapshot["clock_uncertainty_ms"]
    assert isinstance(offset_ms, float)
    assert isinstance(uncertainty_ms, float)
    assert abs(offset_ms) <= uncertainty_ms + 2 * run.stall_ms + 2  # it is one clock
    differences_ms = [a - b for a, b in zip(run.latencies_ms, run.told_ms, strict=True)]
    if differences_ms:  # of the way from the restorer into the sink
        assert -abs(offset_ms) - 1 <= statistics.median(differences_ms)
        assert statistics.median(differences_ms) <= abs(offset_ms) + run.stall_ms + 5
