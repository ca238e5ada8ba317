"""Recordings: timed by capture, never lost, never over another file."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from made_pictures import shown
from made_streams import START_US, coded

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.persistence import RETRY_US
from daemon.split import Split
from link.nal import split_annexb
from link.side_info import find_side_info
from viewer.picture import Shown
from viewer.playback import StreamFile as StoredStream
from viewer.sinks.frame_log import COLUMNS, FrameLog
from viewer.sinks.record import Record
from viewer.sinks.stream_record import StreamRecord
from viewer.timeline import Timeline


class Clock:
    now_us = 0

    def __call__(self) -> int:
        return self.now_us


def record(
    path: Path,
    pictures: list[Shown],
    *,
    quality: str = "high",
    persists: bool = True,
    split: Split | None = None,
) -> Figures:
    figures = Figures()
    sink = Record(path, quality, figures, Clock(), persists=persists, split=split)
    for picture in pictures:
        sink.show(picture)
    sink.close()
    return figures


def stream_record(path: Path, *, persists: bool = True) -> StreamRecord:
    return StreamRecord(path, Figures(), Clock(), persists=persists)


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times_ms(path: Path) -> list[int]:
    return [round(float(picture.pts * picture.time_base) * 1000) for picture in decode(path)]


def test_every_picture_once_timed_by_its_capture(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    record(path, [shown(n) for n in (0, 1, 2, 5, 9)])
    assert times_ms(path) == [0, 40, 80, 200, 360]


def test_lossless_is_bit_exact(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    record(path, [shown(n) for n in range(5)], quality="lossless")
    for number, picture in enumerate(decode(path)):
        restored = picture.to_ndarray()
        assert np.array_equal(restored[:112], shown(number).frame.planes.y)
        assert np.array_equal(
            restored[112:].ravel()[: 96 * 56], np.ravel(shown(number).frame.planes.u)
        )


def test_high_quality_looks_the_same(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    record(path, [shown(n) for n in range(5)])
    difference = decode(path)[3].to_ndarray()[:112].astype(float) - shown(3).frame.planes.y
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 40


def test_colours_are_labelled_for_players(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    record(path, [shown(0)])
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        assert context.color_range == 1


@pytest.mark.parametrize(("width", "height"), [(191, 113), (65, 64), (64, 65)])
def test_odd_sizes_repeat_their_border(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "r.mkv"
    record(path, [shown(0, width=width, height=height)], quality="lossless")
    (picture,) = decode(path)
    assert (picture.width, picture.height) == (width + width % 2, height + height % 2)
    luma = picture.to_ndarray()[:height, :width]
    assert np.array_equal(luma, shown(0, width=width, height=height).frame.planes.y)


def test_an_existing_file_is_kept_and_the_next_free_name_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.mkv"
    path.write_text("dear")
    (tmp_path / "r-1.mkv").write_text("too")
    with caplog.at_level("INFO"):
        record(path, [shown(0)])
    assert (path.read_text(), (tmp_path / "r-1.mkv").read_text()) == ("dear", "too")
    assert len(decode(tmp_path / "r-2.mkv")) == 1
    assert "r-2.mkv" in caplog.text


def test_a_new_size_starts_a_new_file(tmp_path: Path) -> None:
    pictures = [shown(0), shown(1), shown(2, width=256), shown(3, width=256), shown(4, width=256)]
    record(tmp_path / "r.mkv", pictures)
    assert len(decode(tmp_path / "r.mkv")) == 2
    assert times_ms(tmp_path / "r-1.mkv") == [0, 40, 80]


def test_a_capture_clock_that_jumps_leaves_the_recording_in_order(tmp_path: Path) -> None:
    path = tmp_path / "r.mkv"
    day_us = 86_400_000_000
    jumps = (0, 40_000, day_us, day_us + 40_000, -day_us, 2**63)
    record(path, [shown(n, captured_us=START_US + at) for n, at in enumerate(jumps)])
    assert times_ms(path) == [0, 40, 80, 120, 160, 200]


def test_nothing_to_record_leaves_no_file(tmp_path: Path) -> None:
    record(tmp_path / "r.mkv", [])
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "r.mkv"
    for open_sink in (
        lambda: Record(path, "high", Figures(), Clock(), persists=True),
        lambda: stream_record(path),
        lambda: FrameLog(path),
    ):
        with pytest.raises(UsageError, match=r"missing/r\.mkv"):
            open_sink()


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file may grow past the limit: writes fail in the kernel, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_survived_and_recording_resumes(tmp_path: Path) -> None:
    clock, figures = Clock(), Figures()
    sink = Record(tmp_path / "r.mkv", "lossless", figures, clock, persists=True)
    with full_disk(60_000):
        for number in range(60):
            sink.show(shown(number))
            clock.now_us += 40_000
    errors = figures.snapshot()["record_errors"]
    assert isinstance(errors, int)
    assert errors > 0
    clock.now_us += RETRY_US
    for number in range(60, 90):
        sink.show(shown(number))
    sink.close()
    files = sorted(tmp_path.iterdir())
    assert len(decode(tmp_path / "r.mkv")) >= 1
    assert len(decode(files[0] if files[0].name != "r.mkv" else files[1])) >= 29


def test_recording_the_stream_resumes_at_an_irap_after_a_full_disk(tmp_path: Path) -> None:
    clock, timeline = Clock(), Timeline()
    sink = StreamRecord(tmp_path / "s.mkv", Figures(), clock, persists=True)
    stamped = [timeline.stamp(u, n, len(u.data), 0)[0] for n, u in enumerate(coded(60))]
    with full_disk(sum(value.size_bytes for value in stamped[:25])):
        for value in stamped[:35]:
            sink.show(value)
    clock.now_us += RETRY_US
    for value in stamped[35:]:
        sink.show(value)
    sink.close()
    first, *_, last = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(decode(first)) >= 10
    assert len(decode(last)) == 20


def test_restoring_a_file_to_a_full_disk_fails_loudly(tmp_path: Path) -> None:
    with full_disk(60_000), pytest.raises(OSError, match=r"large|space"):
        record(
            tmp_path / "r.mkv", [shown(n) for n in range(60)], quality="lossless", persists=False
        )


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from daemon.figures import Figures
from daemon.split import Split
from link.clock import monotonic_us
from viewer.sinks.record import Record
from viewer.sinks.stream_record import StreamRecord
from viewer.timeline import Timeline
from made_pictures import shown
from made_streams import coded
path, rest = Path({file!r}), (Figures(), monotonic_us)
if {stream!r}:
    sink = StreamRecord(path, *rest, persists=True, split=Split(period_s=1))
    stamp, units = Timeline().stamp, coded(1000, width=64, height=64)
    values = [stamp(unit, n, len(unit.data), 0)[0] for n, unit in enumerate(units)]
else:
    sink = Record(path, "high", *rest, persists=True)
    values = map(shown, range(1000))
start = time.monotonic()
for number, value in enumerate(values):
    sink.show(value)
    print(number, flush=True)
    time.sleep(max(0, start + number / 25 - time.monotonic()))
"""


@pytest.mark.parametrize(("stream", "files"), [(False, 1), (True, 3)])
def test_after_kill_9_every_file_plays_with_at_most_a_second_lost(
    tmp_path: Path, stream: bool, files: int
) -> None:
    """The restored video, and the stream as received, split every second."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    script = KILLED.format(paths=paths, file=str(tmp_path / "r.mkv"), stream=stream)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number = -1
        while number < 75:
            number = int(process.stdout.readline())
        process.kill()
    made = sorted(tmp_path.iterdir())
    assert len(made) == files
    assert sum(len(decode(path)) for path in made) >= number - 25


def test_the_stream_as_received_starts_at_an_irap_and_skips_what_cannot_decode(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.mkv"
    sink, timeline = stream_record(path), Timeline()
    units = coded(40)
    for sequence, unit in enumerate(units):
        if sequence >= 5 and sequence != 23:
            sink.show(timeline.stamp(unit, sequence, len(unit.data), 0)[0])
    sink.close()
    kept = [*range(10, 23), *range(30, 40)]
    assert times_ms(path) == [40 * (number - 10) for number in kept]
    with av.open(str(path)) as container:
        payload = sum(packet.size for packet in container.demux(video=0))
    assert payload >= sum(len(units[number].data) for number in kept) - 5 * len(kept)


def test_a_stream_that_begins_with_a_damaged_irap_is_recorded_from_the_next(tmp_path: Path) -> None:
    path = tmp_path / "s.mkv"
    sink, timeline = stream_record(path), Timeline()
    units = coded(20)
    units[0] = replace(units[0], data=units[0].data[:60])
    for sequence, unit in enumerate(units):
        sink.show(timeline.stamp(unit, sequence, len(unit.data), 0)[0])
    sink.close()
    assert len(decode(path)) == 10


def test_a_split_recording_has_every_picture_once_in_files_that_play(tmp_path: Path) -> None:
    record(tmp_path / "r.mkv", [shown(n) for n in range(90)], split=Split(period_s=1))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"r-{number:05d}.mkv" for number in (1, 2, 3, 4)]
    parts = [times_ms(tmp_path / name) for name in files]
    assert [part[0] for part in parts] == [0, 0, 0, 0]
    assert [len(part) for part in parts] == [26, 26, 26, 12]


def test_a_recording_is_split_by_size(tmp_path: Path) -> None:
    pictures = [shown(n) for n in range(120)]
    record(tmp_path / "r.mkv", pictures, quality="lossless", split=Split(size_bytes=150_000))
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert sum(len(decode(file)) for file in files) == 120
    for file in files[:-1]:
        assert 150_000 <= file.stat().st_size < 250_000  # half a second late at the most


def test_a_split_stream_begins_every_file_with_an_irap_and_loses_nothing(tmp_path: Path) -> None:
    split, timeline = Split(period_s=1), Timeline()
    sink = StreamRecord(tmp_path / "s.mkv", Figures(), Clock(), persists=True, split=split)
    for sequence, unit in enumerate(coded(90)):
        sink.show(timeline.stamp(unit, sequence, len(unit.data), 0)[0])
    sink.close()
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [f"s-{number:05d}.mkv" for number in (1, 2, 3)]
    assert [len(decode(path)) for path in files] == [30, 30, 30]  # an IRAP every ten
    for path in files:
        first = next(iter(StoredStream(path)))
        assert first.irap
        assert find_side_info(split_annexb(first.data)) is not None  # what restoring it needs


def test_the_frame_log_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    log = FrameLog(path)
    log.show(shown(3))
    assert path.read_text().splitlines()[1:] == [
        f"3,{START_US + 120_000},{START_US + 190_000},70.000,103,0,20.0,plain"
    ]
    log.close()
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
