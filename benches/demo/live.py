"""One live run: denc-stream and denc-view on loopback, and what the viewer logged."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from benches import BenchError
from benches.demo.engine import demo_engine
from benches.demo.processes import Daemon, free_port
from daemon.cores import cores
from engines.carrier import LATENT_PRESET
from engines.scale import choose_scale

WARM_UP_S = 1.0  # the network is loaded and the first key frame travels
SHOWN_MIN = 0.97  # of the frames due after the warm-up: then the size is held
LATENCY_MAX_MS = 250.0  # p95, capture to restored
SHARED_CORES = 2  # no more for both ends: what x265 could search harder is the viewer's time
END_S = 20.0  # for the end of a stream and the start of the programs
CONNECT_S = 30.0


@dataclass(frozen=True)
class Setting:
    """What is streamed, and how."""

    source: str  # as denc-stream takes it
    width: int
    height: int
    fps: float
    bitrate_bps: int

    @property
    def scale(self) -> int:
        """What `denc-stream --scale auto` begins with."""
        return choose_scale(self.width, self.height, self.fps, self.bitrate_bps)

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class ShownFrame:
    """One line of the viewer's frame log."""

    number: int
    captured_us: int
    latency_ms: float
    engine: str


@dataclass(frozen=True)
class LiveRun:
    """A run that has ended, with the files it left."""

    setting: Setting
    shown: tuple[ShownFrame, ...]
    bits: int  # of the access units that arrived, before RTP
    received: int  # access units
    stream_file: Path

    @property
    def seconds(self) -> float:
        """What the received frames span."""
        return (self.shown[-1].number - self.shown[0].number + 1) / self.setting.fps

    @property
    def due(self) -> int:
        """Frames of the source from the first that was shown to the last."""
        return self.shown[-1].number - self.shown[0].number + 1

    def latency_ms(self, percentile: float) -> float:
        """Of the frames after the warm-up: from capture to restored."""
        return float(np.percentile([frame.latency_ms for frame in self._warm()], percentile))

    @property
    def shown_share(self) -> float:
        """Of the frames that were due after the warm-up."""
        warm = self._warm()
        return len(warm) / (warm[-1].number - warm[0].number + 1)

    @property
    def holds(self) -> bool:
        """Whether both ends kept up with the source."""
        return self.shown_share >= SHOWN_MIN and self.latency_ms(95) <= LATENCY_MAX_MS

    def _warm(self) -> list[ShownFrame]:
        start_us = self.shown[0].captured_us + WARM_UP_S * 1e6
        return [frame for frame in self.shown if frame.captured_us >= start_us]


def run_live(setting: Setting, duration_s: float, folder: Path) -> LiveRun:
    """Stream for `duration_s` and wait for both ends. Raises BenchError with what they said."""
    folder.mkdir(parents=True, exist_ok=True)
    stream_file, log = folder / "stream.mkv", folder / "frames.csv"
    stream_file.unlink(missing_ok=True)
    port = free_port()
    view = [
        "--listen", f"127.0.0.1:{port}", "--headless", "--once", "--figures-port", "0",
        "--record-stream", str(stream_file), "--log-frames", str(log), "--engine", demo_engine(),
    ]  # fmt: skip
    stream = [
        "--source", setting.source, "--loop", "--peer", f"127.0.0.1:{port}",
        "--size", setting.size, "--fps", f"{setting.fps:g}", "--duration", f"{duration_s:g}",
        "--max-bitrate", str(setting.bitrate_bps),
        "--figures-port", "0",
        *(("--preset", LATENT_PRESET) if cores() <= SHARED_CORES else ()),
    ]  # fmt: skip
    with Daemon("denc-view", view, folder / "denc-view.log") as viewer:
        viewer.wait_listening(port)
        with Daemon("denc-stream", stream, folder / "denc-stream.log") as streamer:
            streamer.wait(duration_s + CONNECT_S)
            viewer.wait(END_S)
            shown = read_frame_log(log)
            if len(shown) < 2 or shown[-1].captured_us - shown[0].captured_us < WARM_UP_S * 1e6:
                raise BenchError(
                    f"only {len(shown)} frames were shown{viewer.last_words()}"
                    f"\ndenc-stream{streamer.last_words()}"
                )
    received, size_bytes = packets_of(stream_file)
    return LiveRun(setting, shown, 8 * size_bytes, received, stream_file)


def read_frame_log(path: Path) -> tuple[ShownFrame, ...]:
    """The frames of `denc-view --log-frames`, in the order in which they were shown."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            ShownFrame(
                number=int(row["frame_number"]),
                captured_us=int(row["captured_us"]),
                latency_ms=float(row["latency_ms"]),
                engine=row["engine"],
            )
            for row in csv.DictReader(file)
        )


def packets_of(path: Path) -> tuple[int, int]:
    """How many access units a stream file holds, and their bytes."""
    with av.open(str(path)) as container:
        sizes: Sequence[int] = [packet.size for packet in container.demux(video=0) if packet.size]
    return len(sizes), sum(sizes)
