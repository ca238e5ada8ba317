import socket
import time
from pathlib import Path

import numpy as np
import pytest
from small_clips import H, W, write_clip

from daemon.errors import UsageError
from streamer.sources import camera, rtsp
from streamer.sources.cadence import LATE_US, Pacer, Thinner
from streamer.sources.container import VideoInput
from streamer.sources.file import FileSource
from streamer.sources.live import LiveSource
from streamer.sources.open import is_live, open_source
from streamer.sources.source import Source, SourceError, Wanted

START_US = 1_700_000_000_000_000


def _numbers(source: Source, most: int = 1000) -> list[int]:
    numbers = []
    while len(numbers) < most and (frame := source.read()) is not None:
        numbers.append(frame.number)
    source.close()
    return numbers


class TestFile:
    def test_frames_are_numbered_and_timed_by_the_files_own_clock(self, clip: Path) -> None:
        source = open_source(str(clip), paced=False, clock=lambda: START_US)
        assert (source.size, source.fps, source.live) == ((W, H), 25.0, False)
        frames = [source.read() for _ in range(3)]
        assert [f.number for f in frames if f] == [0, 1, 2]
        assert [f.captured_us - START_US for f in frames if f] == [0, 40_000, 80_000]
        source.close()

    def test_a_file_that_ends_ends_the_source(self, clip: Path) -> None:
        assert _numbers(open_source(str(clip), paced=False)) == list(range(30))

    def test_loop_goes_on_with_the_next_number(self, clip: Path) -> None:
        source = open_source(f"file://{clip}", loop=True, paced=False)
        assert _numbers(source, 75) == list(range(75))

    def test_a_lower_rate_skips_frames_evenly(self, clip: Path) -> None:
        source = open_source(str(clip), fps=5, paced=False)
        frames = [source.read() for _ in range(6)]
        assert [f.number for f in frames if f] == list(range(6))
        assert source.fps == 5
        source.close()

    def test_a_higher_rate_than_the_files_is_the_files(self, clip: Path) -> None:
        source = open_source(str(clip), fps=60, paced=False)
        assert source.fps == 25
        source.close()

    @pytest.mark.parametrize("size", [(64, 64), (97, 65), (200, 300)])
    def test_size_rescales_odd_sizes_too(self, clip: Path, size: tuple[int, int]) -> None:
        source = open_source(str(clip), size=size, paced=False)
        frame = source.read()
        assert frame is not None
        assert (frame.width, frame.height) == size == source.size
        source.close()

    def test_a_size_that_changes_within_the_file_is_rescaled_to_the_first(
        self, tmp_path: Path
    ) -> None:
        one = write_clip(tmp_path / "one.ts", [(W, H)] * 12)
        two = write_clip(tmp_path / "two.ts", [(2 * W, H)] * 12)
        both = tmp_path / "both.ts"
        both.write_bytes(one.read_bytes() + two.read_bytes())
        source = open_source(str(both), paced=False)
        sizes = []
        while (frame := source.read()) is not None:
            sizes.append((frame.width, frame.height))
        source.close()
        assert set(sizes) == {(W, H)}
        assert len(sizes) > 12

    def test_a_cut_off_file_plays_to_where_it_breaks(self, tmp_path: Path) -> None:
        whole = write_clip(tmp_path / "whole.mkv", [(W, H)] * 60)
        cut = tmp_path / "cut.mkv"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        assert 5 < len(_numbers(open_source(str(cut), paced=False))) < 60

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "No such file"),
            (b"", "cannot play"),
            (b"not a video at all\n" * 100, "cannot play"),
        ],
    )
    def test_missing_and_broken_files_are_usage_errors(
        self, tmp_path: Path, content: bytes | None, words: str
    ) -> None:
        path = tmp_path / "x.mp4"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            open_source(str(path))

    def test_a_folder_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot play"):
            open_source(str(tmp_path))

    def test_pictures_too_small_to_stream_ask_for_a_size(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "small.mp4", [(48, 48)] * 3)
        with pytest.raises(UsageError, match=r"48x48.*--size"):
            open_source(str(path))


class TestCadence:
    def test_a_paced_frame_waits_for_its_time(self) -> None:
        now, slept = [START_US], []
        pacer = Pacer(25, paced=True, clock=lambda: now[0], sleep=slept.append)
        assert pacer.due(0)
        assert pacer.due(2)
        assert slept == [0.08]

    def test_a_frame_long_past_is_skipped(self) -> None:
        now = [START_US]
        pacer = Pacer(25, paced=True, clock=lambda: now[0], sleep=lambda s: None)
        now[0] += LATE_US + 50_000
        assert [pacer.due(number) for number in range(4)] == [False, False, True, True]

    @pytest.mark.parametrize(("camera_fps", "wanted", "kept"), [(30, 25, 250), (60, 10, 100)])
    def test_a_live_source_is_thinned_to_the_rate(
        self, camera_fps: int, wanted: int, kept: int
    ) -> None:
        rng = np.random.default_rng(5)
        times = np.arange(camera_fps * 10) * 1e6 / camera_fps
        times += rng.uniform(-2000, 2000, times.shape)
        thinner = Thinner(wanted, camera_fps)
        assert abs(sum(thinner.takes(int(START_US + t)) for t in times) - kept) <= 2

    @pytest.mark.parametrize(("camera_fps", "wanted"), [(30, 15), (60, 30), (30, 10), (60, 20)])
    def test_every_nth_frame_is_every_nth_whatever_the_jitter(
        self, camera_fps: int, wanted: int
    ) -> None:
        rng = np.random.default_rng(5)
        times = np.arange(camera_fps * 20) * 1e6 / camera_fps
        times += rng.uniform(-3000, 3000, times.shape)
        thinner = Thinner(wanted, camera_fps)
        kept = [n for n, t in enumerate(times) if thinner.takes(int(START_US + t))]
        assert set(np.diff(kept)) == {camera_fps // wanted}

    def test_a_slow_live_source_loses_nothing(self) -> None:
        thinner = Thinner(25, 30)
        assert all(thinner.takes(START_US + n * 100_000) for n in range(50))


class TestCamera:
    def test_missing_camera_names_it_and_lists_those_that_exist(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(camera, "DEVICES", tmp_path)
        monkeypatch.setattr(camera, "NAMES", tmp_path)
        with pytest.raises(UsageError, match=r"/dev/video77; this machine has no /dev/video\*"):
            open_source("v4l2:///dev/video77")
        for number in (10, 2):
            (tmp_path / f"video{number}").touch()
            (tmp_path / f"video{number}-name").touch()
        with pytest.raises(UsageError, match=r"there are: .*/video2, .*/video10$"):
            open_source("/dev/video77")

    def test_a_device_is_listed_with_its_drivers_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(camera, "DEVICES", tmp_path)
        monkeypatch.setattr(camera, "NAMES", tmp_path / "names")
        (tmp_path / "video0").touch()
        (tmp_path / "names" / "video0").mkdir(parents=True)
        (tmp_path / "names" / "video0" / "name").write_text("UVC Camera\n")
        assert camera.devices() == [f"{tmp_path}/video0 (UVC Camera)"]

    def test_size_rate_and_format_are_asked_of_the_driver(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = {}

        def fake(device: str, options: dict[str, str]) -> VideoInput:
            asked.update(options)
            return VideoInput(device)

        monkeypatch.setattr(camera, "_open_v4l2", fake)
        wanted = Wanted(size=(320, 240), fps=12.5, input_format="mjpeg")
        source = camera.open_camera(str(clip), wanted, lambda: START_US)
        assert asked == {"video_size": "320x240", "framerate": "12.5", "input_format": "mjpeg"}
        assert (source.size, source.fps, source.live) == ((320, 240), 12.5, True)
        source.close()

    @pytest.mark.parametrize(
        ("error", "becomes", "words"),
        [
            (PermissionError(13, "Permission denied"), UsageError, "group"),
            (OSError(16, "Device or resource busy"), SourceError, "busy"),
        ],
    )
    def test_errors_of_the_driver_are_told(
        self,
        clip: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: OSError,
        becomes: type[Exception],
        words: str,
    ) -> None:
        def fake(device: str, options: dict[str, str]) -> VideoInput:
            raise error

        monkeypatch.setattr(camera, "_open_v4l2", fake)
        with pytest.raises(becomes, match=words):
            camera.open_camera(str(clip), Wanted(), lambda: START_US)

    def test_a_live_source_stamps_arrival_and_its_end_is_an_error(self, clip: Path) -> None:
        now = [START_US]
        source = LiveSource("cam", VideoInput(str(clip)), Wanted(), lambda: now[0])
        first = source.read()
        now[0] += 33_000
        second = source.read()
        assert first is not None
        assert second is not None
        assert (first.captured_us, second.captured_us) == (START_US, START_US + 33_000)
        assert (first.number, second.number) == (0, 1)
        with pytest.raises(SourceError, match="cam ended"):
            _numbers(source)


class TestOpen:
    def test_unknown_scheme_says_what_there_is(self) -> None:
        with pytest.raises(UsageError, match=r"unknown kind of source 'ftp://x'.*rtsp://"):
            open_source("ftp://x")

    def test_rtsp_that_nobody_serves_is_tried_again_later(self) -> None:
        with pytest.raises(SourceError, match=r"rtsp://127\.0\.0\.1:1/x") as caught:
            open_source("rtsp://user:secret@127.0.0.1:1/x")
        assert "secret" not in str(caught.value)

    def test_rtsp_that_accepts_and_stays_silent_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rtsp, "TIMEOUT_S", 0.3)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            started = time.monotonic()
            with pytest.raises(SourceError, match="cannot open"):
                open_source(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x")
        assert time.monotonic() - started < 5

    def test_passwords_are_kept_out_of_names(self) -> None:
        assert rtsp.without_password("rtsp://a:b@cam/1") == "rtsp://cam/1"
        assert rtsp.without_password("rtsp://a:b/c@d@cam:554/1") == "rtsp://cam:554/1"
        assert rtsp.without_password("rtsp://cam/1") == "rtsp://cam/1"
        assert rtsp.without_password("/dev/video0") == "/dev/video0"

    @pytest.mark.parametrize(
        ("spec", "live"),
        [
            ("rtsp://x", True),
            ("v4l2:///dev/video0", True),
            ("/dev/video0", True),
            ("demo:", False),
            ("a.mp4", False),
            ("file:///a.mp4", False),
        ],
    )
    def test_live_sources_are_known(self, spec: str, live: bool) -> None:
        assert is_live(spec) is live

    def test_a_file_name_with_a_colon_is_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write_clip(tmp_path / "12:30.mp4", [(W, H)] * 3)
        source = open_source("12:30.mp4", paced=False)
        assert isinstance(source, FileSource)
        source.close()
