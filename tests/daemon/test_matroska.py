import errno
import os
from pathlib import Path

import pytest

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.matroska import open_recording
from daemon.persistence import RETRY_US, Persistence
from daemon.pts import FALLBACK_STEP_MS, Timestamps

START_US = 1_700_000_000_000_000


def test_timestamps_count_milliseconds_from_the_first_picture_and_rise() -> None:
    times = Timestamps()
    at = [times.at(START_US + us) for us in (0, 40_000, 40_100, 80_000)]
    assert at == [0, 40, 41, 80]


@pytest.mark.parametrize("jump_us", [-3_600_000_000, 10_000_000_000])
def test_a_clock_that_is_set_leaves_a_step_of_one_frame(jump_us: int) -> None:
    times = Timestamps()
    times.at(START_US)
    times.at(START_US + 40_000)
    assert times.at(START_US + jump_us) == 40 + FALLBACK_STEP_MS


def test_a_file_that_exists_is_kept_and_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(b"kept")
    file = open_recording(path)
    assert file.path == tmp_path / "a-1.mkv"
    file.close()
    assert path.read_bytes() == b"kept"
    with pytest.raises(UsageError, match="cannot write"):
        open_recording(tmp_path)


class Disk:
    full = False
    writes = closes = 0

    def write(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.writes += 1

    def close(self) -> None:
        self.closes += 1


def test_a_recording_that_persists_tries_again_after_a_while(tmp_path: Path) -> None:
    now, disk, figures = [0], Disk(), Figures()
    persistence = Persistence("record", tmp_path / "a.mkv", figures, lambda: now[0], persists=True)
    disk.full = True
    persistence.write(disk.write, disk.close)
    disk.full = False
    persistence.write(disk.write, disk.close)
    assert (disk.writes, disk.closes, figures.snapshot()["record_errors"]) == (0, 1, 2)
    now[0] += RETRY_US
    persistence.write(disk.write, disk.close)
    persistence.write(disk.write, disk.close)
    assert disk.writes == 2


def test_a_recording_that_does_not_persist_ends_with_the_first_error(tmp_path: Path) -> None:
    disk = Disk()
    disk.full = True
    persistence = Persistence("record", tmp_path / "a.mkv", Figures(), lambda: 0, persists=False)
    with pytest.raises(OSError, match="No space"):
        persistence.write(disk.write, disk.close)
    assert disk.closes == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_can_be_mended_while_running_does_not_end_the_start_of_a_live_recording(
    tmp_path: Path, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses() -> None:
        try:
            raise OSError(code, os.strerror(code))
        except OSError as error:
            raise UsageError(f"cannot write: {error.strerror}") from error

    for persists in (True, False):
        recording = Persistence(
            "record", tmp_path / "a.mkv", Figures(), lambda: 0, persists=persists
        )
        if persists:
            assert recording.first(refuses) is None
        else:
            with pytest.raises(UsageError, match="cannot write"):
                recording.first(refuses)
    assert caplog.text.count("trying again every 2 s") == 1
