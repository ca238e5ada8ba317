"""A real browser for the tests: headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--mute-audio", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
LOADED = "location.protocol === 'http:'"
START_S, CALL_S = 60, 30
MAX_MESSAGE_BYTES = 1 << 26


def program() -> str | None:
    """Where Chromium is, if it is here."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []  # errors on the console, uncaught exceptions, CSP
        self._socket = socket
        self._ids = itertools.count(1)

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await asyncio.wait_for(self._socket.receive_json(), CALL_S)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    async def value(self, expression: str) -> Any:
        """What JavaScript makes of an expression; promises are waited for."""
        got = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    async def until(self, expression: str, timeout_s: float = 30) -> Any:
        """Wait for an expression to become true."""
        last = None
        for _ in range(round(timeout_s / 0.1)):
            if last := await self.value(expression):
                return last
            await asyncio.sleep(0.1)
        state = await self.value("document.body.innerText")
        raise AssertionError(f"never: {expression}: {state} {self.complaints}")

    async def press(self, key: str, code: int = 0) -> None:
        """A key, as a person presses it."""
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}),
            )

    async def mouse(self, kind: str, x: float, y: float) -> None:
        await self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
        )

    async def look(self, width: int, height: int, *, dark: bool, phone: bool = False) -> None:
        """The size of the window, and what its user likes."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG, of the window or of the whole page."""
        got = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(got["data"])

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])


@asynccontextmanager
async def tab(url: str) -> AsyncIterator[Tab]:
    """A browser with one page at `url`, both gone afterwards."""
    chromium = program()
    assert chromium is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            origin = await asyncio.wait_for(_devtools(process), START_S)
            drain = asyncio.ensure_future(_drain(process))
            async with aiohttp.ClientSession() as http:
                async with http.get(f"{origin}/json/list") as response:
                    pages = [page for page in await response.json() if page["type"] == "page"]
                async with http.ws_connect(
                    pages[0]["webSocketDebuggerUrl"], max_msg_size=MAX_MESSAGE_BYTES
                ) as socket:
                    page = Tab(socket)
                    for domain in ("Runtime", "Log", "Page"):
                        await page.call(f"{domain}.enable")
                    await page.call("Page.navigate", url=url)
                    await page.until(f"document.readyState !== 'loading' && {LOADED}")
                    yield page
            drain.cancel()
        finally:
            process.kill()
            await process.wait()


async def _devtools(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if b"DevTools listening on ws://" in line:
            return "http://" + line.split(b"ws://")[1].split(b"/")[0].decode()
    raise AssertionError("Chromium ended at once")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(1 << 16):
        pass
