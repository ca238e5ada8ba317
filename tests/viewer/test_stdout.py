"""Raw pictures to stdout: what FFmpeg reads of them, and readers that are slow, stuck or gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from made_pictures import shown
from made_streams import FPS, START_US, coded, frame, stream_file

from engines.frame import Planes
from viewer.sinks.fit import fitted, inner
from viewer.sinks.pipe import Pipe
from viewer.sinks.steady_rate import SteadyRate
from viewer.sinks.y4m import Y4m, header

WIDTH, HEIGHT = 192, 112
COMMAND = [sys.executable, "-m", "viewer.cli"]
QUIET = ["--engine", "plain", "--figures-port", "0"]


def view(file: Path, *more: str) -> list[str]:
    return [*COMMAND, "--input", str(file), "--stdout", "y4m", *QUIET, *more]


def ffmpeg() -> str:
    found = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    return str(found.get_ffmpeg_exe())


def pictures_of(stream: bytes, width: int, height: int) -> list[Planes]:
    """The pictures of a y4m stream whose header is the one of `Y4m`."""
    start, half = stream.index(b"\n") + 1, ((height + 1) // 2, (width + 1) // 2)
    size = height * width + 2 * half[0] * half[1]
    frames = []
    for at in range(start, len(stream), size + 6):
        assert stream[at : at + 6] == b"FRAME\n"
        y, u, v = np.split(
            np.frombuffer(stream, np.uint8, size, at + 6),
            [height * width, height * width + half[0] * half[1]],
        )
        frames.append(Planes(y.reshape(height, width), u.reshape(half), v.reshape(half)))
    return frames


class Reader:
    """Reads a pipe in a thread, all of it."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.data = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with os.fdopen(self.read_end, "rb") as file:
            self.data = file.read()

    def all(self) -> bytes:
        os.close(self.write_end)
        self._thread.join(10)
        return self.data


def test_ffmpeg_reads_every_picture_of_a_file_in_its_time(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(60))
    command = [ffmpeg(), "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    with subprocess.Popen(view(file), stdout=subprocess.PIPE) as viewer:
        read = subprocess.run(command, stdin=viewer.stdout, capture_output=True, timeout=60)
        assert viewer.wait(30) == 0
    assert read.stderr == b""
    luma = np.frombuffer(read.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH)
    assert len(luma) == 60
    for number in (0, 31, 59):
        full_range = (frame(number).planes.y.astype(float) - 16) * 255 / 219  # what gray means
        assert np.abs(luma[number] - full_range.clip(0, 255)).mean() < 4


def test_nothing_but_pictures_is_on_stdout_and_the_log_is_on_stderr(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(20))
    run = subprocess.run(view(file), capture_output=True, timeout=60, check=True)
    assert run.stdout.startswith(header(WIDTH, HEIGHT, FPS))
    assert len(pictures_of(run.stdout, WIDTH, HEIGHT)) == 20
    assert b"restored" in run.stderr


def test_a_file_waits_for_a_slow_reader_and_loses_nothing(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(80))
    with subprocess.Popen(view(file), stdout=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        first = viewer.stdout.read(1)
        time.sleep(2)  # in which all of them are restored, more than pipe and queues hold
        assert viewer.poll() is None
        assert len(pictures_of(first + viewer.stdout.read(), WIDTH, HEIGHT)) == 80
        assert viewer.wait(30) == 0


def test_a_reader_that_leaves_ends_the_viewer_cleanly(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(200))
    with subprocess.Popen(view(file), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        assert viewer.stderr is not None
        viewer.stdout.read(100_000)
        viewer.stdout.close()
        said = viewer.stderr.read().decode()
        assert viewer.wait(30) == 0
    assert "the reader of stdout has left" in said
    assert "Traceback" not in said


def test_a_reader_that_is_stuck_does_not_keep_the_viewer_from_ending(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(200))
    with subprocess.Popen(view(file), stdout=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        viewer.stdout.read(1)
        time.sleep(2)
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(15) == 0


def test_a_terminal_is_no_place_for_raw_video(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(2))
    main_end, terminal = os.openpty()
    run = subprocess.run(
        view(file), stdout=terminal, stderr=subprocess.PIPE, timeout=30, check=False
    )
    os.close(terminal)
    os.close(main_end)
    assert run.returncode == 2
    assert b"ffmpeg -i -" in run.stderr


def test_a_new_size_is_fitted_into_the_first_and_gaps_are_filled() -> None:
    reader = Reader()
    sink = Y4m(Pipe(reader.write_end), lambda: None)
    for picture in (shown(0), shown(1, width=384, height=112), shown(4)):
        sink.show(picture)
    sink.close()
    frames = pictures_of(reader.all(), WIDTH, HEIGHT)
    assert len(frames) == 5
    assert np.array_equal(frames[4].y, shown(4).frame.planes.y)
    assert np.array_equal(frames[1].y, frames[3].y)  # repeated for pictures 2 and 3
    assert (frames[1].y[:28] == 16).all()
    assert (frames[1].u[:14] == 128).all()
    squeezed = shown(1, width=384, height=112).frame.planes.y[::2, ::2]
    assert np.abs(frames[1].y[28:84].astype(float) - squeezed).mean() < 3


def test_a_picture_of_odd_size_is_whole() -> None:
    reader = Reader()
    sink = Y4m(Pipe(reader.write_end), lambda: None)
    sink.show(shown(0, width=191, height=111))
    sink.close()
    (picture,) = pictures_of(reader.all(), 191, 111)
    assert np.array_equal(picture.v, shown(0, width=191, height=111).frame.planes.v)


@pytest.mark.parametrize(
    ("outer", "place"),
    [((200, 100), (50, 0, 100, 100)), ((100, 200), (0, 50, 100, 100)), ((1, 1), (0, 0, 1, 1))],
)
def test_a_picture_keeps_its_shape(
    outer: tuple[int, int], place: tuple[int, int, int, int]
) -> None:
    assert inner((50, 50), outer) == place


@pytest.mark.parametrize("size", [(191, 111), (64, 300), (300, 64), (2, 2)])
def test_what_is_fitted_has_the_size_asked_for(size: tuple[int, int]) -> None:
    planes = fitted(frame(0).planes, size)
    assert (planes.width, planes.height) == size


def test_times_of_the_camera_become_a_fixed_rate() -> None:
    def copies(*ms: float) -> list[int]:
        rate = SteadyRate(25)
        return [rate.copies(START_US + round(at * 1000)) for at in ms]

    assert copies(0, 40, 80, 120) == [1, 1, 1, 1]
    assert copies(0, 52, 75, 131, 160) == [1, 1, 1, 1, 1]  # a camera that is not exact
    assert copies(0, 40, 160, 200) == [1, 1, 3, 1]  # two were left out
    assert copies(0, 20, 40, 60, 80, 100, 120, 140, 160) == [1, 1, 1, 0, 1, 0, 1, 0, 1]
    assert copies(0, 40, 60_000, 60_040) == [1, 1, 1, 1]  # a minute without signal
    assert copies(0, 40, -60_000, -59_960) == [1, 1, 1, 1]  # its clock was set back


def test_header_names_size_and_rate() -> None:
    assert header(64, 48, 29.97).startswith(b"YUV4MPEG2 W64 H48 F2997:100 ")
    assert header(64, 48, 25.0).endswith(b"\n")
