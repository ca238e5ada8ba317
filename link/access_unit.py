"""The value that a carrier makes of one picture and the link carries: an H.265 access unit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AccessUnit:
    """One coded picture with everything that stands in front of it (ITU-T H.265, 7.4.2.4.4)."""

    data: bytes  # Annex B byte stream
    rtp_timestamp: int  # capture time, 90 kHz, modulo 2^32
    irap: bool  # decoding can start here
    received_us: int = 0  # receiver's monotonic clock at the last packet, us; 0 at the sender
    gap_before: bool = False  # an access unit before this one was lost
