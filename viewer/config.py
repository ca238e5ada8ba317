"""Every setting of `denc-view`: the keys of `configs/viewer.yaml`, frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from daemon.config import between, key, one_of, within
from daemon.errors import UsageError
from daemon.figures_server import LOCALHOST, VIEWER_PORT
from daemon.log import LEVELS, STYLES
from daemon.split import Split, parse_split
from engines.condition import FIDELITY
from link.ice_servers import IceServer, parse_ice_servers
from viewer.address import EVERYWHERE, Address, parse_address

LISTEN = Address(EVERYWHERE, 8889)  # what a bare --listen means
PAGE = Address(LOCALHOST, 8890)  # the page, when nothing else was asked for
HTTP = Address(EVERYWHERE, 8888)  # what a bare --http means
QUALITIES = ("high", "lossless")
RAW_FORMATS = ("y4m",)
LATENCY_BUDGET_MS = 400
LATENCY_BUDGET_MAX_MS = 60_000
BATCH_MAX = 4
STREAMS_MAX = 16
STREAM = "{stream}"  # in --publish: the number of the stream


def _video_device(value: object) -> Path:
    text = f"/dev/video{value}" if str(value).isdecimal() else str(value)
    if not text.startswith("/") or "\0" in text:
        raise ValueError("a device such as /dev/video10")
    return Path(text)


@dataclass(frozen=True)
class ViewerConfig:
    """One field a key; `configs/viewer.yaml` says why each is there."""

    listen: Address | None = key(None, parse_address)  # noqa: RUF009 - a `field` by another name
    http: Address | None = key(None, parse_address)  # noqa: RUF009 - a `field` by another name
    token: str | None = None
    ice_server: tuple[IceServer, ...] = key((), parse_ice_servers)
    input: Path | None = None
    record: Path | None = None
    record_quality: str = key("high", one_of(QUALITIES))
    record_stream: Path | None = None
    recordings: Path | None = None
    publish: str | None = None
    publish_token: str | None = None
    record_split: Split | None = key(None, parse_split)  # noqa: RUF009 - a `field` by another name
    web: Address | None = key(None, parse_address)  # noqa: RUF009 - a `field` by another name
    window: bool = False
    v4l2: Path | None = key(None, _video_device)  # noqa: RUF009 - a `field` by another name
    stdout: str | None = key(None, one_of(RAW_FORMATS))
    headless: bool = False
    once: bool = False
    max_streams: int = key(1, within(1, STREAMS_MAX))
    engine: str = "auto"
    fidelity: float = key(FIDELITY, between(0, 1, "a number"))
    threads: int = key(0, within(0, 256))  # 0: every core this process may use
    latency_budget: int = key(LATENCY_BUDGET_MS, within(1, LATENCY_BUDGET_MAX_MS))  # ms
    batch_max: int = key(BATCH_MAX, within(1, 64))  # pictures
    log_frames: Path | None = None
    state: Path | None = None  # None: daemon.state.default_folder
    figures_port: int | None = key(None, within(0, 0xFFFF))
    log_level: str = key("info", one_of(LEVELS))
    log_style: str = key("text", one_of(STYLES))

    def __post_init__(self) -> None:
        if self.listen is None and self.input is None:
            raise UsageError("nothing to view: give --listen for a live stream or --input FILE.mkv")
        if self.listen is not None and self.input is not None:
            raise UsageError("--listen and --input exclude each other: view a stream or a file")
        if self.http is not None and not self.token:
            raise UsageError("--http needs --token: without TLS nothing else tells who connects")
        if self.token == "":
            raise UsageError("--token is empty: leave it out, or give a secret")
        if self.record_split is not None and not (self.record or self.record_stream):
            raise UsageError("--record-split needs --record or --record-stream: split what?")
        if self.headless and self.web is not None:
            raise UsageError("--headless and --web exclude each other: is there a page or not?")
        if self.max_streams > 1 and self.listen is None:
            raise UsageError("--max-streams is for --listen: a file holds one stream")
        if self.publish is not None and self.max_streams > 1 and STREAM not in self.publish:
            raise UsageError(
                f"--publish with --max-streams needs {STREAM} in the URL, where each stream's "
                f"number goes, such as https://sfu.example/whip/{STREAM}"
            )
        if self.publish_token is not None and self.publish is None:
            raise UsageError("--publish-token is for --publish: give the URL of the WHIP server")
        if self.recordings is not None and not self.recordings.is_dir():
            raise UsageError(f"--recordings: {self.recordings} is no folder: make it first")

    @property
    def recordings_folder(self) -> Path | None:
        """Where the page's record button writes: where asked; else in the working folder, if
        strangers of the network cannot press it."""
        if self.recordings is not None or self.page is None:
            return self.recordings
        return Path() if self.token or self.page.is_loopback else None

    def for_place(self, number: int) -> ViewerConfig:
        """As it is for one of the streams: beyond stream 0 with files of its own,
        `FILE-stream1.mkv`."""

        def own(path: Path | None) -> Path | None:
            if path is None or number == 0:
                return path
            return path.with_stem(f"{path.stem}-stream{number}")

        return replace(
            self,
            record=own(self.record),
            record_stream=own(self.record_stream),
            log_frames=own(self.log_frames),
        )

    def publish_url(self, number: int) -> str | None:
        """Where one of the streams is published."""
        return None if self.publish is None else self.publish.replace(STREAM, str(number))

    @property
    def keeps_every_frame(self) -> bool:
        """A file that is not watched is restored as fast as it goes, and nothing is dropped."""
        return self.input is not None and not self.is_watched

    @property
    def is_watched(self) -> bool:
        """Whether pictures are for the moment they are shown in."""
        return self.page is not None or self.window or bool(self.v4l2 or self.publish)

    def is_seen_without(self, sink: str) -> bool:
        """Whether the pictures still go somewhere once `stdout` or the `window` is gone."""
        sinks = ("record", "record_stream", "log_frames", "window", "v4l2", "stdout", "publish")
        others = [getattr(self, name) for name in sinks if name != sink]
        return self.page is not None or any(others)

    @property
    def figures_port_or_default(self) -> int:
        """Of a live viewer a known port; restoring a file needs none, and any number may run."""
        if self.figures_port is not None:
            return self.figures_port
        return VIEWER_PORT if self.listen is not None else 0

    @property
    def page(self) -> Address | None:
        """Where the page is served: where asked, or locally when nothing else would be seen."""
        kept = self.record or self.record_stream or self.log_frames
        idle = not (
            self.headless or kept or self.window or self.v4l2 or self.stdout or self.publish
        )
        return self.web or (PAGE if idle else None)
