"""Debian's Janus with simple-whip-server in front: an SFU that denc-stream publishes to.

denc-stream == WHIP, WebRTC ==> Janus (VideoRoom) -- plain RTP --> GStreamer -> pictures
"""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.demo.processes import free_port
from tests.net.place import LOCALHOST
from tests.peers.installed import MODULES, WHIP_SERVER
from tests.peers.process import Process

ROOM = 1234
ENDPOINT = "denc"
TOKEN = "peers"
START_TIMEOUT_S = 15.0
_PLUGIN, _TRANSPORT = "libjanus_videoroom.so", "libjanus_websockets.so"


@contextmanager
def janus(folder: Path, rtp_port: int) -> Iterator[tuple[Process, str]]:
    """The running pair; its WHIP URL. H.265 is forwarded as plain RTP to a local port."""
    websocket_port, whip_port = free_port(), free_port()
    configuration = _configuration(folder / "janus", websocket_port)
    source = folder / "whip" / "src"
    shutil.copytree(WHIP_SERVER.parent, source)
    (source / "config.js").write_text(_whip_configuration(websocket_port, whip_port))
    command = ["janus", f"--configs-folder={configuration}", "--disable-colors"]
    with Process(command, folder / "janus.log", ends_by_signal=signal.SIGTERM) as server:
        server.until_said("Websockets server started", START_TIMEOUT_S)
        with Process(
            ["node", source / "server.js"],
            folder / "whip.log",
            environment={"NODE_PATH": str(MODULES)},
            ends_by_signal=signal.SIGTERM,
        ) as whip:
            whip.until_said("WHIP server prototype started", START_TIMEOUT_S)
            base = f"http://{LOCALHOST}:{whip_port}/whip"
            _create_endpoint(base, rtp_port)
            yield server, f"{base}/endpoint/{ENDPOINT}"


def _configuration(folder: Path, websocket_port: int) -> Path:
    """One room for H.265, one plugin, one transport, both on this machine alone."""
    folder.mkdir()
    (folder / "janus.jcfg").write_text(
        'general: { debug_level = 4; admin_secret = "unused" }\n'
        'nat: { ice_ignore_list = "vmnet" }\n'
        f'plugins: {{ disable = "{_others("plugins", _PLUGIN)}" }}\n'
        f'transports: {{ disable = "{_others("transports", _TRANSPORT)}" }}\n'
        f'events: {{ broadcast = false; disable = "{_others("events", "")}" }}\n'
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "compact"; ws = true; ws_ip = "{LOCALHOST}"; '
        f"ws_port = {websocket_port}; wss = false }}\n"
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text(
        f'room-{ROOM}: {{ description = "denc"; publishers = 1; bitrate = 0; fir_freq = 0; '
        'audiocodec = "opus"; videocodec = "h265"; notify_joining = false }\n'
    )
    return folder


def _others(kind: str, wanted: str) -> str:
    janus_folders = Path("/usr/lib").glob(f"*/janus/{kind}")
    return ",".join(
        file.name for folder in janus_folders for file in folder.glob("*.so") if file.name != wanted
    )


def _whip_configuration(websocket_port: int, whip_port: int) -> str:
    settings = {
        "janus": {"address": f"ws://{LOCALHOST}:{websocket_port}"},
        "port": {"host": LOCALHOST, "port": whip_port},  # node's `listen` takes both
        "rest": "/whip",
        "allowTrickle": True,
        "strictETags": True,
        "iceServers": [],
    }
    return f"module.exports = {json.dumps(settings)};\n"


def _create_endpoint(base: str, rtp_port: int) -> None:
    body = {
        "id": ENDPOINT,
        "room": ROOM,
        "token": TOKEN,
        "recipient": {"host": LOCALHOST, "videoPort": rtp_port},
    }
    request = urllib.request.Request(
        f"{base}/create", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200
