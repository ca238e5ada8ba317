"""denc-stream into foreign viewers: they show the preview picture."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from benches.demo.processes import Daemon, free_port
from tests.net.place import LOCALHOST
from tests.peers import installed, scene, seen
from tests.peers.installed import SYSTEM_PYTHON
from tests.peers.janus import TOKEN, janus
from tests.peers.process import Process
from tests.peers.programs import FOLDER
from tests.peers.streamer import streamer

ENOUGH = 40  # pictures: an IRAP between
TIMEOUT_S = 30.0
PREVIEW = "it will show the small preview picture"


def until_decoded(video: Path, peer: Process, sender: Daemon) -> None:
    """Waits until a foreign decoder has written enough."""
    deadline = time.monotonic() + TIMEOUT_S
    size = ENOUGH * scene.WIDTH * scene.HEIGHT * 3 // 2
    while not video.exists() or video.stat().st_size < size:
        assert time.monotonic() < deadline, f"{peer.log[-3000:]}{sender.last_words()}"
        time.sleep(0.1)


def check_preview(video: Path, sender: Daemon) -> None:
    """The preview is the scene itself: coded, and through the encoder network."""
    assert PREVIEW in sender.log.read_text(encoding="utf-8")
    pictures = seen.compare(video, video.with_suffix(".png"))
    seen.check(pictures, pictures=ENOUGH - 5, psnr_y=30, psnr_uv=36, loops=4)


def test_gstreamer_shows_the_preview(enlarged_scene: Path, tmp_path: Path) -> None:
    installed.need_gstreamer()
    port, video = free_port(), tmp_path / "seen.yuv"
    program = FOLDER / "gst_receive.py"
    with Process([SYSTEM_PYTHON, program, str(port), video], tmp_path / "peer.log") as peer:
        peer.until_said("LISTENING", TIMEOUT_S)
        with streamer(f"http://{LOCALHOST}:{port}/whip", enlarged_scene, tmp_path) as sender:
            until_decoded(video, peer, sender)
        peer.until_said("DELETE /whip/1", 5)
        peer.end()
    check_preview(video, sender)


def test_janus_forwards_the_preview(enlarged_scene: Path, tmp_path: Path) -> None:
    installed.need_janus()
    port, video = free_port(), tmp_path / "seen.yuv"
    watch = (
        f"udpsrc address={LOCALHOST} port={port} caps=application/x-rtp,media=video,"
        "encoding-name=H265,clock-rate=90000 ! rtpjitterbuffer ! rtph265depay ! h265parse ! "
        f"avdec_h265 ! videoconvert ! video/x-raw,format=I420 ! filesink location={video}"
    )
    with (
        Process(
            ["gst-launch-1.0", "-q", *watch.split()],
            tmp_path / "watch.log",
            ends_by_signal=signal.SIGINT,
        ) as watching,
        janus(tmp_path, port) as (server, url),
        streamer(url, enlarged_scene, tmp_path, token=TOKEN) as sender,
    ):
        server.until_said("The DTLS handshake has been completed", TIMEOUT_S)
        until_decoded(video, watching, sender)
    check_preview(video, sender)
