"""Which foreign peers this machine has; a test asks, and is skipped with what would install it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import av
import pytest

from tests.peers.programs import FOLDER

CACHE = Path(os.environ.get("DENC_PEERS", Path.home() / ".cache" / "denc-peers"))
MODULES = CACHE / "node_modules"
SYSTEM_PYTHON = Path("/usr/bin/python3")  # Debian's python3-gi is made for it
WHIP_SERVER = CACHE / "simple-whip-server" / "src" / "server.js"
NO_UPNP = CACHE / "no-upnp"
_INSTALL = "`make peers` installs it (tests/peers/install.sh)"


def need_gstreamer() -> None:
    """Skips without GStreamer's webrtcbin, x265enc, avdec_h265 and their Python."""
    if not _gstreamer():
        pytest.skip(f"no GStreamer with webrtcbin and python3-gi here: {_INSTALL}")


def need_whip_client() -> None:
    """Skips without Debian's simple-whip-client."""
    need_gstreamer()
    if shutil.which("whip-client") is None or not NO_UPNP.exists():
        pytest.skip(f"no simple-whip-client here: {_INSTALL}")


def need_datachannel() -> None:
    """Skips without npm's node-datachannel."""
    if shutil.which("node") is None or not (MODULES / "node-datachannel").exists():
        pytest.skip(f"no node-datachannel here: {_INSTALL}")


def need_ffmpeg_whip() -> None:
    """Skips where PyAV's FFmpeg is older than its WHIP muxer (8.0)."""
    if "whip" not in av.formats_available:
        pytest.skip(f"PyAV {av.__version__} has an FFmpeg without WHIP: pip install -U av")


def need_janus() -> None:
    """Skips without Debian's janus and simple-whip-server, and the GStreamer that watches."""
    need_gstreamer()
    if shutil.which("janus") is None or not WHIP_SERVER.exists():
        pytest.skip(f"no janus with simple-whip-server here: {_INSTALL}")


@cache
def _gstreamer() -> bool:
    if not SYSTEM_PYTHON.exists():
        return False
    check = subprocess.run(
        [SYSTEM_PYTHON, FOLDER / "gst_check.py"], capture_output=True, timeout=30, check=False
    )
    return check.returncode == 0
