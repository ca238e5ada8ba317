import asyncio
import errno
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from small_clips import frame, nals_of_packet

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError, UsageError
from daemon.figures import Figures
from daemon.matroska import MatroskaFile
from daemon.persistence import RETRY_US
from daemon.stream_file import StreamFile
from engines.codec import open_encoder
from link.access_unit import AccessUnit
from link.nal import split_annexb
from link.side_info import find_side_info
from streamer.carrier import Carrier, CarrierSettings, CodedUnit
from streamer.network import LatentShot
from streamer.record import QUEUE_UNITS, Record
from streamer.scale_control import ScaleControl


def _coded(count: int) -> list[CodedUnit]:
    """Access units with an IRAP at every tenth."""
    latents: BoundedQueue[LatentShot] = BoundedQueue(count, waits=False)
    out: list[CodedUnit] = []

    def deliver(coded: CodedUnit) -> None:
        out.append(coded)
        if len(out) % 10 == 0:
            stage.request_irap()

    maker = open_encoder("plain", threads=1)
    settings = CarrierSettings(200_000, "ultrafast", 1, paced=False)
    scale = ScaleControl(2, 200_000)
    stage = Carrier(maker.network_id, settings, scale, latents, deliver, Figures())
    for number in range(count):
        shown = frame(number)
        latents.put(LatentShot(maker.encode(shown, scale=2, bits=8), shown, 25.0))
    latents.close()
    stage.run()
    return out


@pytest.fixture(scope="module")
def coded() -> list[CodedUnit]:
    return _coded(30)


def _pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


async def test_the_file_plays_and_holds_the_access_units_as_they_were(
    tmp_path: Path, coded: list[CodedUnit]
) -> None:
    path = tmp_path / "out.mkv"
    record = Record(path, Figures())
    for unit in coded:
        record.put(unit)
    await record.finish()
    assert _pictures(path) == 30
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "hevc"
        assert stream.codec_context.extradata
        packets = [p for p in container.demux(stream) if p.size]
    assert [round(float(p.pts * p.time_base) * 1000) for p in packets] == list(range(0, 1200, 40))
    assert [p.is_keyframe for p in packets] == [c.unit.irap for c in coded]
    for packet, unit in zip(packets, coded, strict=True):
        assert nals_of_packet(bytes(packet)) == split_annexb(unit.unit.data)
    info = find_side_info(nals_of_packet(bytes(packets[0])))
    assert info is not None
    assert info.captured_us == coded[0].captured_us


async def test_what_was_written_a_second_ago_plays_without_a_clean_end(
    tmp_path: Path, coded: list[CodedUnit]
) -> None:
    file = StreamFile(tmp_path / "out.mkv")
    for unit in coded:
        file.write(unit.unit, unit.captured_us)
    killed = tmp_path / "killed.mkv"
    killed.write_bytes((tmp_path / "out.mkv").read_bytes())
    file.close()
    assert _pictures(killed) >= 30 - 25


async def test_a_file_that_exists_is_never_replaced(tmp_path: Path, coded: list[CodedUnit]) -> None:
    path = tmp_path / "out.mkv"
    path.write_bytes(b"precious")
    record = Record(path, Figures())
    record.put(coded[0])
    await record.finish()
    assert path.read_bytes() == b"precious"
    assert _pictures(tmp_path / "out-1.mkv") == 1


async def test_nothing_recorded_leaves_no_file(tmp_path: Path) -> None:
    record = Record(tmp_path / "out.mkv", Figures())
    await record.finish()
    assert list(tmp_path.iterdir()) == []


async def test_it_begins_with_the_first_irap(tmp_path: Path, coded: list[CodedUnit]) -> None:
    record = Record(tmp_path / "out.mkv", Figures())
    for unit in coded[5:]:
        record.put(unit)
    await record.finish()
    assert _pictures(tmp_path / "out.mkv") == 20


@pytest.mark.parametrize("name", ["nowhere/out.mkv", "."])
async def test_a_file_that_cannot_be_made_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        Record(tmp_path / name, Figures())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a few bytes: writes fail in the kernel, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_survived_and_recording_resumes_in_the_next_file(
    tmp_path: Path,
    coded: list[CodedUnit],
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0]
    figures = Figures()
    asked: list[int] = []
    record = Record(
        tmp_path / "out.mkv", figures, request_irap=lambda: asked.append(1), clock=lambda: now[0]
    )
    _put_all(record, coded[:20])
    with full_disk():
        _put_all(record, coded[20:] * 3)  # more than a cluster: the muxer writes
    now[0] += RETRY_US
    _put_all(record, coded[5:10])  # none is an IRAP: one is asked for
    _put_all(record, coded)
    with pytest.raises(RunError, match="refused pictures"):
        await record.finish()
    assert asked == [1]
    assert len([r for r in caplog.records if "trying again" in r.getMessage()]) == 1
    assert _pictures(tmp_path / "out.mkv") >= 10
    assert _pictures(tmp_path / "out-1.mkv") == 30


async def test_a_full_disk_ends_a_recording_that_does_not_persist(
    tmp_path: Path, coded: list[CodedUnit]
) -> None:
    record = Record(tmp_path / "out.mkv", Figures(), persists=False)
    with full_disk():
        _put_all(record, coded)
        with pytest.raises(RunError, match="refused pictures"):
            await asyncio.wait_for(record.run(), 5)
    with pytest.raises(RunError):
        await record.finish()


def _put_all(record: Record, coded: list[CodedUnit]) -> None:
    """Put them, and wait until the thread has taken them."""
    for unit in coded:
        record.put(unit)
    while len(record._queue):
        time.sleep(0.005)
    time.sleep(0.05)


async def test_a_disk_that_hangs_holds_up_no_live_stream(
    tmp_path: Path,
    coded: list[CodedUnit],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write, goes_on = StreamFile.write, threading.Event()

    def hanging(file: StreamFile, unit: AccessUnit, captured_us: int) -> bool:
        assert goes_on.wait(20)
        return write(file, unit, captured_us)

    monkeypatch.setattr(StreamFile, "write", hanging)
    asked: list[int] = []
    record = Record(tmp_path / "out.mkv", Figures(), request_irap=lambda: asked.append(1))
    started = time.monotonic()
    for unit in coded * 12:
        record.put(unit)
    assert time.monotonic() - started < 5
    goes_on.set()
    _put_all(record, [])
    _put_all(record, coded[11:20])  # no IRAP: one is asked for
    _put_all(record, coded[20:])
    with pytest.raises(RunError, match="too slow"):
        await record.finish()
    assert asked == [1]
    assert _pictures(tmp_path / "out.mkv") - 10 in (QUEUE_UNITS, QUEUE_UNITS + 1)
    assert len([r for r in caplog.records if "too slow" in r.getMessage()]) == 1


async def test_a_disk_that_hangs_holds_up_a_file_that_can_wait(
    tmp_path: Path, coded: list[CodedUnit]
) -> None:
    record = Record(tmp_path / "out.mkv", Figures(), persists=False)
    await asyncio.to_thread(_put_all, record, coded * 12)
    await record.finish()
    assert _pictures(tmp_path / "out.mkv") == 12 * 30


async def test_beside_a_viewer_a_card_that_is_read_only_at_the_start_is_survived(
    tmp_path: Path, coded: list[CodedUnit], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, refuses = [0], [True]
    opened = MatroskaFile.__init__

    def refusing(file: MatroskaFile, wanted: Path, *, numbered: bool = False) -> None:
        if refuses[0]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(wanted))
        opened(file, wanted, numbered=numbered)

    monkeypatch.setattr(MatroskaFile, "__init__", refusing)
    with pytest.raises(UsageError, match="cannot write"):
        Record(tmp_path / "out.mkv", Figures())
    record = Record(tmp_path / "out.mkv", Figures(), beside=True, clock=lambda: now[0])
    _put_all(record, coded[:10])
    refuses[0] = False
    now[0] += RETRY_US
    _put_all(record, coded)
    with pytest.raises(RunError, match="10 or more are missing"):
        await record.finish()
    assert _pictures(tmp_path / "out.mkv") == 30
