"""Every setting of `denc-stream`: the keys of `configs/streamer.yaml`, frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from daemon.config import between, key, one_of, within
from daemon.errors import UsageError
from daemon.figures_server import STREAMER_PORT
from daemon.log import LEVELS, STYLES
from engines.carrier import PRESETS
from engines.codebook import BITS_MAX, BITS_MIN
from engines.latent import SCALES, SOURCE_MAX_HEIGHT, SOURCE_MAX_WIDTH, SOURCE_MIN
from link.ice_servers import IceServer, parse_ice_servers
from link.identity import clean_name
from streamer.peer import Peer, parse_peer
from streamer.sources.source import MAX_FPS, MIN_FPS

BITRATE_MIN_BPS, BITRATE_MAX_BPS = 10_000, 100_000_000
DURATION_MAX_S = 366 * 24 * 3600.0
AUTO = "auto"
CAMERA = "v4l2:"
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


def _bitrate(value: object) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", str(value).strip().lower())
    bps = round(min(float(match[1]), BITRATE_MAX_BPS + 1.0) * _UNITS[match[2]]) if match else 0
    if not BITRATE_MIN_BPS <= bps <= BITRATE_MAX_BPS:
        raise ValueError("bits per second from 10k to 100M, such as 200k or 1.5M")
    return bps


def _size(value: object) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", str(value).strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (SOURCE_MIN <= width <= SOURCE_MAX_WIDTH and SOURCE_MIN <= height <= SOURCE_MAX_HEIGHT):
        raise ValueError(
            f"a size such as 1280x720, from {SOURCE_MIN}x{SOURCE_MIN} "
            f"to {SOURCE_MAX_WIDTH}x{SOURCE_MAX_HEIGHT}"
        )
    return width, height


def _name(value: object) -> str:
    if clean_name(str(value)) != value:
        raise ValueError("a name of letters, digits and ._- such as front-door")
    return str(value)


def _scale(value: object) -> int | None:
    if value == AUTO:
        return None
    return within(SCALES[0], SCALES[-1])(value)


def _preset(value: object) -> str | None:
    name = one_of((AUTO, *PRESETS))(value)
    return None if name == AUTO else name


@dataclass(frozen=True)
class StreamerConfig:
    """One field a key; `configs/streamer.yaml` says why each is there."""

    source: str | None = None
    input_format: str | None = None
    size: tuple[int, int] | None = key(None, _size)  # width, height
    fps: float | None = key(None, between(MIN_FPS, MAX_FPS, "frames per second"))
    loop: bool = False
    peer: Peer | None = key(None, parse_peer)  # noqa: RUF009 - a `field` by another name
    token: str | None = None
    name: str | None = key(None, _name)
    ice_server: tuple[IceServer, ...] = key((), parse_ice_servers)
    output: Path | None = None
    duration: float | None = key(None, between(0.04, DURATION_MAX_S, "seconds"))
    max_bitrate: int = key(300_000, _bitrate)  # bit/s
    scale: int | None = key(None, _scale)  # None: auto
    bits: int = key(BITS_MAX, within(BITS_MIN, BITS_MAX))
    engine: str = AUTO
    preset: str | None = key(None, _preset)  # None: auto
    guide: bool = True
    threads: int = key(0, within(0, 256))  # 0: every core this process may use
    state: Path | None = None  # None: daemon.state.default_folder
    figures_port: int = key(STREAMER_PORT, within(0, 0xFFFF))
    log_level: str = key("info", one_of(LEVELS))
    log_style: str = key("text", one_of(STYLES))

    @property
    def stream_name(self) -> str | None:
        """What tells this stream from others of the same box: as given, or the camera's device."""
        if self.name is not None or self.source is None or not self.source.startswith(CAMERA):
            return self.name
        return clean_name(Path(self.source).name)

    def __post_init__(self) -> None:
        if self.source is None:
            raise UsageError(
                "nothing to stream: give --camera 0, --source FILE, --source rtsp://... or "
                "--source demo:"
            )
        if self.peer is None and self.output is None:
            raise UsageError(
                "nowhere to stream to: give --peer HOST (where denc-view --listen runs) or "
                "--output FILE.mkv"
            )
