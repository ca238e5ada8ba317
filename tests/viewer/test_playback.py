"""Restoring stream files: every picture, as fast as it goes, and what is wrong with bad files."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from made_streams import coded, frame, stream_file

from daemon.config import load
from daemon.errors import RunError, UsageError
from link.nal import is_parameter_set, join_annexb, split_annexb
from viewer.app import view
from viewer.config import ViewerConfig
from viewer.playback import StreamFile
from viewer.progress import bar, show_progress


async def restore(stop: asyncio.Event | None = None, **keys: object) -> None:
    texts = {name: str(v) if isinstance(v, Path) else v for name, v in keys.items()}
    config = load(ViewerConfig, None, {"figures_port": 0, "engine": "plain", **texts})
    await view(config, stop or asyncio.Event())


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


async def test_every_picture_is_restored_once_and_in_order(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(200, keyframe_interval=50))
    record, log = tmp_path / "r.mkv", tmp_path / "f.csv"
    await restore(input=file, record=record, log_frames=log)
    restored = pictures(record)
    assert len(restored) == 200
    for number in (0, 77, 199):
        difference = restored[number].to_ndarray()[:112].astype(float) - frame(number).planes.y
        assert np.abs(difference).mean() < 3
    with log.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["frame_number"]) for row in rows] == list(range(200))
    assert [row["irap"] for row in rows].count("1") == 4


async def test_recording_does_not_wait_for_real_time(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(250, width=64, height=64))
    started = time.monotonic()
    await restore(input=file, record=tmp_path / "r.mkv")
    assert time.monotonic() - started < 5  # the stream lasts ten seconds


async def test_watching_is_paced_in_real_time(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(26, width=64, height=64))
    started = time.monotonic()
    await restore(input=file, web="127.0.0.1:0")
    assert 0.9 < time.monotonic() - started < 3


async def test_a_recorded_stream_restores_like_the_original(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(30))
    copy = tmp_path / "copy.mkv"
    await restore(input=file, record_stream=copy, record=tmp_path / "a.mkv")
    await restore(input=copy, record=tmp_path / "b.mkv")
    a, b = (pictures(tmp_path / name) for name in ("a.mkv", "b.mkv"))
    assert len(a) == len(b) == 30
    assert all(np.array_equal(x.to_ndarray(), y.to_ndarray()) for x, y in zip(a, b, strict=True))
    assert [u.data for u in StreamFile(copy)] == [u.data for u in StreamFile(file)]


async def test_a_stream_that_changes_size_makes_two_recordings(tmp_path: Path) -> None:
    units = coded(10) + coded(10, first=10, width=256, height=144)
    await restore(input=stream_file(tmp_path / "s.mkv", units), record=tmp_path / "r.mkv")
    sizes = [(p.width, p.height) for p in pictures(tmp_path / "r.mkv")]
    assert sizes == [(192, 112)] * 10
    assert len(pictures(tmp_path / "r-1.mkv")) == 10


@pytest.mark.parametrize(("width", "height"), [(193, 113), (65, 127), (64, 64), (322, 66)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
async def test_odd_source_sizes_are_restored(
    tmp_path: Path, width: int, height: int, scale: int
) -> None:
    units = coded(3, width=width, height=height, scale=scale)
    file = stream_file(tmp_path / "s.mkv", units)
    await restore(input=file, record=tmp_path / "r.mkv")
    restored = pictures(tmp_path / "r.mkv")
    assert [(p.width, p.height) for p in restored] == [(width + width % 2, height + height % 2)] * 3


async def test_an_ordinary_h265_file_is_shown_as_it_is(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(10, scale=1, side_info=False))
    await restore(input=file, record=tmp_path / "r.mkv")
    assert len(pictures(tmp_path / "r.mkv")) == 10


async def test_a_file_cut_off_is_restored_up_to_there(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(100))
    data = file.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 2 // 3])
    await restore(input=cut, record=tmp_path / "r.mkv")
    assert 40 <= len(pictures(tmp_path / "r.mkv")) < 100


async def test_damage_inside_a_file_is_survived(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(100))
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    (damaged := tmp_path / "d.mkv").write_bytes(data)
    await restore(input=damaged, record=tmp_path / "r.mkv")
    assert len(pictures(tmp_path / "r.mkv")) >= 40


async def test_stopping_leaves_a_recording_that_plays(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(40) * 20)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    await restore(stop, input=file, record=tmp_path / "r.mkv", record_quality="lossless")
    assert 1 <= len(pictures(tmp_path / "r.mkv")) <= 800


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        (b"", "no video file|cannot read"),
        (b"this is text" * 50, "no video file|holds no H.265"),
    ],
)
async def test_a_file_that_is_missing_or_no_video_is_told_so(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "s.mkv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=message) as told:
        await restore(input=file, record=tmp_path / "r.mkv")
    assert "s.mkv" in str(told.value)
    assert not (tmp_path / "r.mkv").exists()


async def test_a_video_of_another_codec_is_told_so(tmp_path: Path) -> None:
    file = stream_file(tmp_path / "s.mkv", coded(5))
    await restore(input=file, record=tmp_path / "h264.mkv")
    with pytest.raises(UsageError, match=r"no H\.265"):
        await restore(input=tmp_path / "h264.mkv", record=tmp_path / "r.mkv")


async def test_a_file_of_which_nothing_decodes_ends_with_an_error(tmp_path: Path) -> None:
    first, second, *_ = coded(4, keyframe_interval=250)
    sets = [nal for nal in split_annexb(first.data) if is_parameter_set(nal)]
    hollow = replace(first, data=join_annexb([*sets, *split_annexb(second.data)]))
    file = stream_file(tmp_path / "s.mkv", [hollow, second, second])
    with pytest.raises(RunError, match="no picture"):
        await restore(input=file, record=tmp_path / "r.mkv")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_progress_is_drawn_on_a_terminal_only() -> None:
    for stream in (Terminal(), io.StringIO()):
        task = asyncio.create_task(show_progress(stream, 10, lambda: 10))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert ("10/10" in stream.getvalue()) == stream.isatty()


def test_the_bar_tells_rate_and_time_left() -> None:
    assert bar(120, 240, 5.0) == f"[{'#' * 15}{'.' * 15}] 120/240  24.0 pictures/s  5 s left  "
    assert "starting" in bar(0, 240, 0.0)


def test_a_playlist_is_no_stream_file_and_nothing_that_it_names_is_fetched(tmp_path: Path) -> None:
    fetched = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        path = tmp_path / "s.mkv"
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
            f"http://127.0.0.1:{server.getsockname()[1]}/s.ts\n#EXT-X-ENDLIST\n"
        )

        def accept() -> None:
            with suppress(TimeoutError):
                fetched.append(server.accept())

        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(UsageError):
            StreamFile(path)
        thread.join()
    assert fetched == []


def test_a_codec_that_is_not_known_here_is_a_usage_error(tmp_path: Path) -> None:
    path = stream_file(tmp_path / "s.mkv", coded(2))
    path.write_bytes(path.read_bytes().replace(b"V_MPEGH/ISO/HEVC", b"V_MPEGH/ISO/HEVX"))
    with pytest.raises(UsageError, match=r"no H\.265"):
        StreamFile(path)


def test_titles_in_no_encoding_do_not_matter(tmp_path: Path) -> None:
    path = stream_file(tmp_path / "s.mkv", coded(2))
    data = path.read_bytes()
    assert b"Lavf" in data
    path.write_bytes(data.replace(b"Lavf", b"\xff\xfe\xfdf"))
    assert len(list(StreamFile(path))) == 2
