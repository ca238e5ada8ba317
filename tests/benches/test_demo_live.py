"""Both daemons as processes on loopback, as the demo runs them."""

import av
import numpy as np
import pytest

from benches.demo.live import Setting, packets_of, read_frame_log, run_live
from benches.demo.processes import Daemon, free_port
from benches.demo.replay import preview_of, restored_by_number, scales_of
from benches.demo.source import planes_by_number
from engines.evaluation.measures import psnr
from engines.frame import planes_from_video_frame

SIZE = (192, 112)
SETTING = Setting("demo:", *SIZE, 12.0, 60_000)


def test_pictures_shown_live_are_the_ones_restored_again_from_the_recorded_stream(tmp_path):
    """The demo measures the replayed pictures; this is why it may."""
    port = free_port()
    view = [
        "--listen", f"127.0.0.1:{port}", "--once", "--headless", "--figures-port", "0",
        "--record-stream", str(tmp_path / "stream.mkv"), "--log-frames", str(tmp_path / "live.csv"),
        "--record", str(tmp_path / "live.mkv"), "--record-quality", "lossless",
    ]  # fmt: skip
    stream = [
        "--source", "demo:", "--peer", f"127.0.0.1:{port}", "--size", "192x112", "--fps", "12",
        "--duration", "3", "--max-bitrate", "30k", "--scale", "2", "--figures-port", "0",
    ]  # fmt: skip
    with Daemon("denc-view", view, tmp_path / "view.log") as viewer:
        viewer.wait_listening(port)
        with Daemon("denc-stream", stream, tmp_path / "stream.log") as streamer:
            streamer.wait(60)
            viewer.wait(30)
    live = [frame.number for frame in read_frame_log(tmp_path / "live.csv")]
    with av.open(str(tmp_path / "live.mkv")) as container:
        pictures = [planes_from_video_frame(picture) for picture in container.decode(video=0)]
    again = restored_by_number(tmp_path / "stream.mkv", SIZE)
    assert scales_of(tmp_path / "stream.mkv") == (2,)
    assert len(live) == len(pictures) >= 12
    for number, shown in zip(live, pictures, strict=True):
        for a, b in zip(shown.channels, again[number].channels, strict=True):
            assert np.array_equal(a, b), f"frame {number}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_live(SETTING, 3.5, tmp_path_factory.mktemp("live"))


def test_a_live_run_is_logged_frame_by_frame_with_its_bits(run):
    assert packets_of(run.stream_file) == (run.received, run.bits // 8)
    assert 20 <= len(run.shown) <= 42
    assert run.bits > 1000
    assert run.latency_ms(50) > 0


def test_restored_frames_belong_to_the_source_frames_of_their_numbers(run):
    restored = restored_by_number(run.stream_file, SIZE)
    numbers = sorted(restored)[2:]
    source = planes_by_number(SETTING, {n - back for n in numbers for back in (0, 1)})
    own = np.mean([psnr(restored[n].y, source[n].y) for n in numbers])
    before = np.mean([psnr(restored[n].y, source[n - 1].y) for n in numbers])
    assert own > before + 0.5


def test_the_preview_is_what_a_plain_player_shows(run):
    assert scales_of(run.stream_file) == (1,)
    preview = preview_of(run.stream_file, 5)
    assert preview.width <= SIZE[0]
    assert preview.height <= SIZE[1]
