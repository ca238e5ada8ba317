"""The values that flow through the viewer behind the decoder."""

from __future__ import annotations

from dataclasses import dataclass

from engines.frame import Frame
from engines.latent import Latent


@dataclass(frozen=True, eq=False)
class Decoded:
    """A latent picture as it came out of the carrier."""

    latent: Latent
    network_id: bytes  # of the encoder network, 8 bytes
    size_bytes: int  # of its access unit
    irap: bool
    arrived_us: int  # monotonic clock, when its access unit was complete
    capture_known: bool = True  # false in plain H.265: its times count from the first arrival
    fps: float = 0.0  # of the source; 0: the stream does not tell
    decoded_us: int = 0  # monotonic clock
    place: int = 0  # which of the viewer's streams it belongs to


@dataclass(frozen=True, eq=False)
class Shown:
    """A restored picture on its way to the sinks."""

    frame: Frame
    decoded: Decoded
    engine: str
    shown_us: int  # Unix time
    latency_us: int  # since capture; of a file, since it was read
