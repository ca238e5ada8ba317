"""The pieces of the demo, without the daemons."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benches import BenchError
from benches.demo import report, sizes
from benches.demo.__main__ import main
from benches.demo.anchor import x265_at, x265_live
from benches.demo.live import LiveRun, Setting, ShownFrame, packets_of, read_frame_log
from benches.demo.processes import Daemon, free_port
from benches.demo.source import frames, planes_by_number, size_and_fps
from engines.carrier import CarrierEncoder
from engines.evaluation.measures import ClipMeasures
from engines.frame import Frame, Planes
from link.access_unit import AccessUnit
from streamer.record import StreamFile

SETTING = Setting("demo:", 192, 112, 25.0, 60_000)


def live_run(
    *, share: float = 1.0, latency_ms: float = 40.0, setting: Setting = SETTING
) -> LiveRun:
    shown = tuple(
        ShownFrame(number, number * 40_000, latency_ms, "lite")
        for number in range(100)
        if number % 100 < 100 * share or number == 99
    )
    return LiveRun(setting, shown, bits=240_000, received=100, stream_file=Path("stream.mkv"))


def frames_of(error: int) -> list[Frame]:
    random = np.random.default_rng(5)
    found = []
    for number, planes in enumerate(clip(4)):
        noise = random.integers(-error, error + 1, planes.y.shape)
        luma = np.clip(planes.y + noise, 0, 255).astype(np.uint8)
        found.append(Frame(Planes(luma, planes.u, planes.v), number, number * 40_000))
    return found


def clip(count: int) -> list[Planes]:
    return list(planes_by_number(SETTING, range(count)).values())


def test_a_run_holds_when_both_ends_keep_up():
    assert live_run().holds
    assert not live_run(share=0.9).holds
    assert not live_run(latency_ms=300).holds
    assert live_run().seconds == 4


@pytest.mark.parametrize("holding", range(6))
@pytest.mark.parametrize("start", range(5))
def test_the_largest_size_that_holds_is_found_from_any_estimate(holding, start, tmp_path):
    settings = [sizes.setting_for("demo:", size, 25) for size in sizes.sizes_for(None)]
    tried = []

    def runner(setting: Setting, duration_s: float, folder: Path) -> LiveRun:
        tried.append(setting.size)
        return live_run(share=1.0 if settings.index(setting) >= holding else 0.5)

    found = sizes.find_largest(settings, start, tmp_path, runner=runner, tell=lambda text: None)
    assert found == settings[min(holding, len(settings) - 1)]
    assert len(tried) == len(set(tried))


def test_a_file_keeps_its_shape_and_is_not_enlarged():
    assert sizes.sizes_for(None)[0] == (1280, 720)
    assert sizes.sizes_for((1920, 1080)) == sizes.sizes_for(None)
    assert sizes.sizes_for((641, 481)) == [(640, 480), (480, 360), (368, 272)]
    assert sizes.sizes_for((128, 96)) == [(128, 96)]


def test_estimate_takes_a_smaller_size_the_slower_the_machine():
    candidates = sizes.sizes_for(None)
    assert sizes.estimate(candidates, 25, 1e-12) == 0
    assert sizes.estimate(candidates, 25, 1.0) == len(candidates) - 1


def test_bitrate_follows_the_pixels_and_nothing_else():
    settings = [sizes.setting_for("demo:", size, 25) for size in sizes.sizes_for(None)]
    for setting in settings:
        pixels = setting.width * setting.height * setting.fps
        assert abs(setting.bitrate_bps / pixels - sizes.BITS_PER_PIXEL) < 0.1 * sizes.BITS_PER_PIXEL
        assert setting.scale == 2
    assert sizes.setting_for("demo:", (64, 64), 5).bitrate_bps == sizes.BITRATE_MIN_BPS


def test_cpu_time_of_the_codec_is_measured():
    assert 1e-9 < sizes.cpu_s_per_pixel(frames_of(0)) < 1e-3


def test_source_frames_come_again_the_same():
    numbers = {0, 3, 7}
    first, again = (planes_by_number(SETTING, numbers) for _ in range(2))
    assert first.keys() == numbers
    assert all(np.array_equal(first[n].y, again[n].y) for n in numbers)
    assert next(iter(frames(SETTING))).number == 0


def test_a_source_that_cannot_be_played_is_one_line_and_exit_code_1(tmp_path, capsys):
    assert main(["--source", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert size_and_fps("demo:") == (None, 25)


def test_x265_spends_the_bits_that_it_is_given():
    pictures = clip(12)
    seconds = len(pictures) / SETTING.fps
    anchor = x265_at(round(300_000 * seconds), pictures, SETTING.fps)
    assert len(anchor.pictures) == 12
    assert anchor.bits == pytest.approx(300_000 * seconds, rel=0.1)


def test_x265_under_live_rate_control_is_near_the_bits():
    pictures = clip(25)
    live = x265_live(300_000, pictures, SETTING.fps)
    assert len(live.pictures) == 25
    assert live.bits == pytest.approx(300_000, rel=0.25)


def test_a_daemon_that_fails_says_its_last_words(tmp_path, monkeypatch):
    program = tmp_path / "denc-broken"
    program.write_text("#!/bin/sh\necho no camera here\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    log = tmp_path / "log"
    with Daemon("denc-broken", [], log) as daemon:
        with pytest.raises(BenchError, match=r"exit code 3(.|\n)*no camera here"):
            daemon.wait(10)
        with pytest.raises(BenchError, match="does not listen"):
            daemon.wait_listening(free_port())


def test_leaving_the_block_ends_a_daemon_that_runs(tmp_path, monkeypatch):
    program = tmp_path / "denc-endless"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with (
        pytest.raises(BenchError, match="did not end within"),
        Daemon("denc-endless", [], tmp_path / "log") as daemon,
    ):
        daemon.wait(0.1)
    assert not Path(f"/proc/{daemon.pid}/exe").exists()


def test_frame_log_and_stream_file_are_read(tmp_path):
    path = tmp_path / "frames.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame_number", "captured_us", "latency_ms", "engine"])
        rows.writerow([7, 280_000, "41.5", "lite"])
    assert read_frame_log(path) == (ShownFrame(7, 280_000, 41.5, "lite"),)

    encoder = CarrierEncoder(192, 112, 25, crf=30)
    coded = [p for n, planes in enumerate(clip(5)) for p in encoder.encode(planes, n)]
    coded += encoder.close()
    stream = StreamFile(tmp_path / "stream.mkv")
    for picture in coded:
        stream.write(AccessUnit(picture.data, 0, picture.irap), picture.number * 40_000)
    stream.close()
    assert packets_of(tmp_path / "stream.mkv")[0] == 5


@pytest.fixture
def result() -> report.Result:
    denc = ClipMeasures(frames=100, psnr_y=31.25, vmaf=61.5, vmaf_neg=58.25)
    x265 = ClipMeasures(frames=100, psnr_y=30.5, vmaf=52.0, vmaf_neg=50.0)
    said = "the size asked for"
    return report.Result(live_run(), said, "lite", denc, x265, 260_000, x265, 240_000, 100, (2, 1))


def test_the_table_says_what_was_measured(result):
    text = report.table(result)
    for said in (
        "0.24 Mbit",
        "60 kbit/s",
        "100 shown",
        "p95 40 ms",
        "31.25",
        "58.2",
        "sent at 1/2 of the size, then full size, restored by lite",
    ):
        assert said in text
    assert "QP is at the end" in text
    assert "QP is at the end" not in report.table(replace(result, x265_bits=240_000))


def test_the_typical_frame_is_the_median_of_the_second_half():
    base = clip(1)[0]
    source = [base] * 7

    def with_error(size: int) -> Planes:
        return Planes(np.clip(base.y.astype(int) + size, 0, 255).astype(np.uint8), base.u, base.v)

    denc = [with_error(error) for error in (1, 1, 1, 9, 2, 5, 3)]
    x265 = [with_error(4)] * 7
    assert report.typical_frame(source, denc, x265) == 6  # errors 9, 5, 3, 2: the upper median


def test_comparison_shows_four_pictures_and_their_crops(result, tmp_path):
    from PIL import Image

    source, x265, denc = clip(3)
    small = Planes(source.y[::2, ::2].copy(), source.u[::2, ::2].copy(), source.v[::2, ::2].copy())
    report.comparison(
        report.Pictures(source, small, x265, denc), result, tmp_path / "comparison.png"
    )
    report.write_results(result, tmp_path / "results.json")
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.width >= 2 * 192
        assert picture.height >= 2 * 112
