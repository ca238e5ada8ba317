"""What the wire code needs of an RTP packet (RFC 3550, 5.1); the session builds and parses it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaPacket:
    """One RTP packet of the H.265 stream, without its RTP header, padding and encryption."""

    sequence: int  # 16 bits
    timestamp: int  # 32 bits, 90 kHz
    marker: bool  # last packet of its access unit (RFC 7798, 4.1)
    payload: bytes
    transport_number: int | None = None  # 16 bits, of its first transmission (link.twcc)
    send_time: int | None = None  # of that transmission, 24 bits (link.header_extensions)
