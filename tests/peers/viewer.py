"""denc-view as a process for foreign senders: plain HTTP and a token, as docs/guide.md says."""

from __future__ import annotations

import time
from pathlib import Path

from benches.demo.processes import Daemon, free_port
from tests.net import shown
from tests.net.place import LOCALHOST

TOKEN = "peers"
ENOUGH = 40  # pictures: an IRAP between
TIMEOUT_S = 30.0  # of a machine with much else to do


class Viewer(Daemon):
    """Records what it shows, bit by bit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._tls_port = free_port()
        options = [
            "--listen", f"{LOCALHOST}:{self._tls_port}", "--http", f"{LOCALHOST}:{self._port}",
            "--token", TOKEN, "--state", str(folder / "state"), "--headless",
            "--figures-port", "0", "--log-frames", str(folder / "frames.csv"),
            "--record", str(self.recording), "--record-quality", "lossless",
        ]  # fmt: skip
        super().__init__("denc-view", options, folder / "denc-view.log")
        self.wait_listening(self._port)

    @property
    def url(self) -> str:
        return f"http://{LOCALHOST}:{self._port}/whip"

    @property
    def tls_url(self) -> str:
        return f"https://{LOCALHOST}:{self._tls_port}/whip"

    @property
    def recording(self) -> Path:
        return self._folder / "shown.mkv"

    @property
    def words(self) -> str:
        """Its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until_shown(self, pictures: int = ENOUGH) -> None:
        """Waits for so many pictures; AssertionError with the log when they do not come."""
        deadline = time.monotonic() + TIMEOUT_S
        while (count := len(shown.of_denc(self._folder / "frames.csv"))) < pictures:
            assert time.monotonic() < deadline, f"{count} pictures{self.last_words()}"
            time.sleep(0.1)

    def until_said(self, text: str, timeout_s: float = 5.0) -> None:
        """Waits until this is in its log."""
        deadline = time.monotonic() + timeout_s
        while text not in self.words:
            assert time.monotonic() < deadline, f"never said {text!r}{self.last_words()}"
            time.sleep(0.05)
