"""A real WHIP server for the tests: Debian's Janus behind Debian's simple-whip-server.

    denc-view --publish --(WHIP)--> simple-whip-server --(Janus API)--> janus, a video room

Both from their packages; simple-whip-server needs express and others from npm where Debian's own
do not install. `DENC_WHIP_SERVER` names its folder (the one with `src/server.js`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

PLACES = (os.environ.get("DENC_WHIP_SERVER", ""), "/usr/share/simple-whip-server")
MODULES = "/usr/lib/x86_64-linux-gnu/janus"
ROOM = 1234
START_S = 30
_JANUS = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{modules}/plugins"
    transports_folder = "{modules}/transports"
    debug_level = 4
}}
nat: {{ ice_lite = false }}
plugins: {{ disable = "{other_plugins}" }}
transports: {{ disable = "{other_transports}" }}
"""
_WEBSOCKETS = 'general: {{ ws = true\n ws_port = {port}\n ws_ip = "127.0.0.1" }}\n'
_ROOM = f'room-{ROOM}: {{ description = "denc"\n publishers = 4\n videocodec = "h264" }}\n'
_CONFIG = """module.exports = {{
    janus: {{address: 'ws://127.0.0.1:{janus}'}}, port: {port}, rest: '/whip',
    allowTrickle: true, strictETags: false, iceServers: []
}};
"""


def whip_server() -> Path | None:
    """The folder of simple-whip-server, with everything that it needs, if it is here."""
    if shutil.which("janus") is None or shutil.which("node") is None:
        return None
    for place in PLACES:
        if place and (Path(place) / "src" / "server.js").exists():
            return Path(place)
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _program(*command: str, cwd: Path, log: Path) -> AsyncIterator[None]:
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=out, stderr=out)
        try:
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _listens(port: int, log: Path) -> None:
    for _ in range(round(START_S / 0.1)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError(f"nothing listens on {port}: {log.read_text()[-2000:]}")


class Janus:
    """The room, seen through Janus's own API: what came in really?"""

    def __init__(self, url: str, socket_: aiohttp.ClientWebSocketResponse) -> None:
        self.url = url  # of the WHIP endpoint
        self._socket = socket_
        self._number = 0
        self._handle: dict[str, int] = {}

    async def attach(self) -> None:
        session = await self._ask(janus="create")
        self._handle = {"session_id": session["data"]["id"]}
        handle = await self._ask(janus="attach", plugin="janus.plugin.videoroom")
        self._handle["handle_id"] = handle["data"]["id"]

    async def publishers(self) -> list[dict[str, object]]:
        """Who is in the room."""
        body = {"request": "listparticipants", "room": ROOM}
        answer = await self._ask(janus="message", body=body)
        found: list[dict[str, object]] = answer["plugindata"]["data"]["participants"]
        return [one for one in found if one["publisher"]]

    async def forward(self, publisher: object, port: int) -> None:
        """Its RTP, decrypted, to a port here."""
        body = {
            "request": "rtp_forward", "room": ROOM, "publisher_id": publisher,
            "host": "127.0.0.1", "streams": [{"mid": "0", "port": port, "host": "127.0.0.1"}],
        }  # fmt: skip
        answer = await self._ask(janus="message", body=body)
        assert "error" not in answer["plugindata"]["data"], answer

    async def _ask(self, **message: object) -> dict[str, dict]:  # type: ignore[type-arg]
        self._number += 1
        message |= {"transaction": str(self._number), **self._handle}
        await self._socket.send_json(message)
        while True:
            answer = await asyncio.wait_for(self._socket.receive_json(), 10)
            if answer.get("transaction") == str(self._number) and answer["janus"] != "ack":
                return answer  # type: ignore[no-any-return]


@asynccontextmanager
async def janus(server: Path, folder: Path, token: str) -> AsyncIterator[Janus]:
    """Both programs, with an endpoint that asks for the token."""
    ports = {"janus": _free_port(), "port": _free_port()}
    modules = Path(MODULES)
    plugins = [path.name for path in (modules / "plugins").glob("*.so")]
    transports = [path.name for path in (modules / "transports").glob("*.so")]
    texts = {
        "janus.jcfg": _JANUS.format(
            folder=folder,
            modules=modules,
            other_plugins=",".join(set(plugins) - {"libjanus_videoroom.so"}),
            other_transports=",".join(set(transports) - {"libjanus_websockets.so"}),
        ),
        "janus.transport.websockets.jcfg": _WEBSOCKETS.format(port=ports["janus"]),
        "janus.plugin.videoroom.jcfg": _ROOM,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    whip = folder / "whip"
    shutil.copytree(server / "src", whip / "src", ignore=shutil.ignore_patterns("config.js"))
    (whip / "src" / "config.js").write_text(_CONFIG.format(**ports))
    if (server / "node_modules").exists():
        (whip / "node_modules").symlink_to(server / "node_modules")
    (whip / "web").mkdir()
    logs = folder / "janus.log", folder / "whip.log"
    async with AsyncExitStack() as running:
        await running.enter_async_context(
            _program("janus", "-F", str(folder), "-C", str(folder / "janus.jcfg"), cwd=folder,
                     log=logs[0])
        )  # fmt: skip
        await _listens(ports["janus"], logs[0])
        await running.enter_async_context(_program("node", "src/server.js", cwd=whip, log=logs[1]))
        await _listens(ports["port"], logs[1])
        base = f"http://127.0.0.1:{ports['port']}/whip"
        http = await running.enter_async_context(aiohttp.ClientSession())
        endpoint = {"id": "denc", "room": ROOM, "token": token}
        async with http.post(f"{base}/create", json=endpoint) as response:
            assert response.status == 200, await response.text()
        socket_ = await running.enter_async_context(
            http.ws_connect(f"http://127.0.0.1:{ports['janus']}/", protocols=("janus-protocol",))
        )
        result = Janus(f"{base}/endpoint/denc", socket_)
        await result.attach()
        yield result
