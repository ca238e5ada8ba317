"""denc-stream as a process for foreign viewers."""

from __future__ import annotations

from pathlib import Path

from benches.demo.processes import Daemon


def streamer(url: str, source: Path, folder: Path, *, token: str | None = None) -> Daemon:
    """Sends the scene at scale 2: what travels, and a stock viewer shows, has the scene's size."""
    options = [
        "--source", str(source), "--loop", "--peer", url,
        "--scale", "2", "--max-bitrate", "600k", "--preset", "ultrafast",
        "--state", str(folder / "state"), "--figures-port", "0",
    ]  # fmt: skip
    if token is not None:
        options += ["--token", token]
    return Daemon("denc-stream", options, folder / "denc-stream.log")
