"""Foreign senders of plain H.265 (and of H.264) into denc-view."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from daemon.state import open_state
from tests.peers import installed, scene, seen
from tests.peers.installed import CACHE, NO_UPNP, SYSTEM_PYTHON
from tests.peers.process import Process
from tests.peers.programs import FOLDER
from tests.peers.viewer import ENOUGH, TOKEN, Viewer

X265 = "x265enc speed-preset=ultrafast tune=zerolatency key-int-max=25 bitrate=800"
RTP = "pt=96 ! application/x-rtp,media=video,encoding-name=H265,payload=96"
PLAIN = "a plain H.265 sender, shown as it comes"


def pipeline(folder: Path, payloader: str) -> str:
    """The scene, encoded and packed by GStreamer."""
    source = scene.raw(folder / "scene.yuv")
    return (
        f"filesrc location={source} ! rawvideoparse format=i420 width={scene.WIDTH} "
        f"height={scene.HEIGHT} framerate={scene.FPS}/1 ! clocksync ! {X265} ! h265parse ! "
        f"rtph265pay config-interval=-1 {payloader} {RTP}"
    )


def gst_sender(viewer: Viewer, folder: Path, payloader: str) -> Process:
    program = [SYSTEM_PYTHON, FOLDER / "gst_send.py", viewer.url, TOKEN]
    return Process([*program, pipeline(folder, payloader)], folder / "peer.log")


def check_shown_plainly(viewer: Viewer, folder: Path, loops: int = 0) -> None:
    """After the end: every picture came as it was sent, and the log says what it is."""
    assert PLAIN in viewer.words
    assert "partner" not in viewer.words
    shown = seen.compare(viewer.recording, folder / "shown.png")
    seen.check(shown, pictures=ENOUGH - 5, psnr_y=34, psnr_uv=36, loops=loops)


@pytest.mark.parametrize(
    ("payloader", "kinds"),
    [("aggregate-mode=none", {"NAL", "FU"}), ("aggregate-mode=zero-latency", {"AP", "FU"})],
    ids=["single", "aggregated"],
)
def test_gstreamer_is_shown(tmp_path: Path, payloader: str, kinds: set[str]) -> None:
    installed.need_gstreamer()
    with Viewer(tmp_path) as viewer:
        with gst_sender(viewer, tmp_path, payloader + " mtu=600") as peer:
            viewer.until_shown()
            peer.end()
            assert "POST 201" in peer.log
            assert "DELETE 200" in peer.log
            assert kinds <= set(re.findall(r"(\w+):\d+", peer.log.split("SENT")[1]))
        viewer.until_said("the sender ended the session")
    check_shown_plainly(viewer, tmp_path)


@pytest.mark.parametrize("trickle", [[], ["--no-trickle"]], ids=["trickle", "no-trickle"])
def test_simple_whip_client_is_shown(tmp_path: Path, trickle: list[str]) -> None:
    installed.need_whip_client()
    source = pipeline(tmp_path, "aggregate-mode=zero-latency")
    command = ["whip-client", "-o", "-l", "7", "-u", None, "-t", TOKEN, *trickle, "-V", source]
    with Viewer(tmp_path) as viewer:
        with Process(
            [viewer.url if part is None else part for part in command],
            tmp_path / "peer.log",
            environment={"LD_LIBRARY_PATH": str(NO_UPNP)},
            ends_by_signal=signal.SIGINT,
        ) as peer:
            viewer.until_shown()
            peer.end()
            for complaint in ("[4", "error", "Error"):
                assert complaint not in peer.log, peer.log
        viewer.until_said("the sender ended the session")
    check_shown_plainly(viewer, tmp_path)


def test_libdatachannel_is_shown_by_https(tmp_path: Path) -> None:
    installed.need_datachannel()
    stream = scene.h265(tmp_path / "stream")
    program = ["node", FOLDER / "datachannel_send.mjs", CACHE]
    with Viewer(tmp_path) as viewer:
        command = [*program, viewer.tls_url, TOKEN, stream, str(scene.FPS)]
        # as a browser's user would say yes to the viewer's own certificate
        trust = {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}
        with Process(command, tmp_path / "peer.log", environment=trust) as peer:
            viewer.until_shown()
            peer.end()
            assert "DELETE 200" in peer.log
        viewer.until_said("the sender ended the session")
    check_shown_plainly(viewer, tmp_path, loops=4)


def test_ffmpegs_h264_is_refused_and_the_viewer_says_why(tmp_path: Path) -> None:
    installed.need_ffmpeg_whip()
    identity = open_state(tmp_path / "peer").identity()
    assert identity.fingerprint
    pem = next((tmp_path / "peer").glob("*.pem"))
    with Viewer(tmp_path) as viewer:
        command = [sys.executable, FOLDER / "pyav_publish.py", viewer.url, TOKEN, pem]
        with Process(command, tmp_path / "peer.log") as peer:
            assert peer.wait(10) != 0
            assert "4XX" in peer.log
        viewer.until_said("no H.265 Main profile video that denc speaks (it has: H264")
