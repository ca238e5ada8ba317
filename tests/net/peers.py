"""Who is run over the link: both daemons, or a stock aiortc pair. Each as two processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benches.demo.processes import Daemon, free_port
from tests.net import shown
from tests.net.place import HERE, Place
from tests.net.shown import ShownPicture

TOKEN = "net"  # of the plain HTTP that the proxy reads


@dataclass(frozen=True)
class Stream:
    """What is streamed: the built-in scene."""

    width: int = 320
    height: int = 180
    fps: float = 25.0

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


class Peer(Protocol):
    """How to run it, and where it logs."""

    @property
    def name(self) -> str:
        """As `--peers` takes it."""
        ...

    def receiver(self, port: int, figures_port: int, folder: Path) -> Daemon:
        """Listens for WHIP on a port of 127.0.0.1; figures at the other, if it has any."""
        ...

    def sender(
        self, url: str, stream: Stream, bitrate_bps: int, figures_port: int, folder: Path
    ) -> Daemon:
        """Publishes to a WHIP endpoint until it is ended."""
        ...

    def has_shown(self, folder: Path) -> bool:
        """Whether a picture was shown yet."""
        ...

    def shown(self, folder: Path) -> tuple[ShownPicture, ...]:
        """All that were."""
        ...


@dataclass(frozen=True)
class DencPeer:
    """`denc-stream` and `denc-view`, without networks: the link is the subject here."""

    name: str = "denc"
    engine: str = "plain"
    scale: str = "auto"
    place: Place = HERE

    def receiver(self, port: int, figures_port: int, folder: Path) -> Daemon:
        """Listens for WHIP on a port; figures at the other, of 127.0.0.1."""
        host = self.place.receiver_host
        options = [
            "--listen", f"{host}:{free_port()}", "--http", f"{host}:{port}",
            "--token", TOKEN, "--state", str(folder / "viewer-state"),
            "--headless", "--figures-port", str(figures_port),
            "--engine", self.engine, "--log-frames", str(folder / "frames.csv"),
        ]  # fmt: skip
        log = folder / "denc-view.log"
        return Daemon("denc-view", options, log, prefix=self.place.run_receiver)

    def sender(
        self, url: str, stream: Stream, bitrate_bps: int, figures_port: int, folder: Path
    ) -> Daemon:
        """Publishes to a WHIP endpoint until it is ended."""
        options = [
            "--source", "demo:", "--peer", url, "--size", stream.size, "--fps", f"{stream.fps:g}",
            "--max-bitrate", str(bitrate_bps), "--engine", self.engine,
            "--scale", self.scale, "--token", TOKEN, "--state", str(folder / "streamer-state"),
            "--figures-port", str(figures_port),
        ]  # fmt: skip
        log = folder / "denc-stream.log"
        return Daemon("denc-stream", options, log, prefix=self.place.run_sender)

    def has_shown(self, folder: Path) -> bool:
        """Whether a picture was shown yet."""
        return shown.has_rows(folder / "frames.csv")

    def shown(self, folder: Path) -> tuple[ShownPicture, ...]:
        """All that were."""
        return shown.of_denc(folder / "frames.csv")


@dataclass(frozen=True)
class AiortcPeer:
    """`RTCPeerConnection` as it is, with H.264; it rules its bitrate itself, 0.5 to 3 Mbit/s."""

    name: str = "aiortc"

    def receiver(self, port: int, figures_port: int, folder: Path) -> Daemon:
        """Listens for WHIP on a port of 127.0.0.1; it has no figures."""
        options = [str(port), str(folder / "shown.csv")]
        return Daemon("tests.net.aiortc_receiver", options, folder / "receiver.log")

    def sender(
        self, url: str, stream: Stream, bitrate_bps: int, figures_port: int, folder: Path
    ) -> Daemon:
        """Publishes to a WHIP endpoint until it is ended."""
        options = [url, stream.size, f"{stream.fps:g}", str(folder / "sent.csv")]
        return Daemon("tests.net.aiortc_sender", options, folder / "sender.log")

    def has_shown(self, folder: Path) -> bool:
        """Whether a picture was shown yet."""
        return shown.has_rows(folder / "shown.csv")

    def shown(self, folder: Path) -> tuple[ShownPicture, ...]:
        """All that were and could be told from each other."""
        return shown.of_aiortc(folder / "sent.csv", folder / "shown.csv")


PEERS: dict[str, Peer] = {"denc": DencPeer(), "aiortc": AiortcPeer()}
