"""Made-up H.265 access units and their packets, shared by the tests of the wire code."""

from collections.abc import Sequence

from hypothesis import strategies as st

from link.nal import NalType, join_annexb
from link.packet import MediaPacket
from link.payload import packetize

FRAME_TICKS = 3600  # 25 frames/s on the 90 kHz clock
FRAME_US = 40_000

nal_units = st.builds(
    lambda kind, body, last: bytes([kind << 1, 1]) + body + bytes([last]),
    kind=st.integers(0, 47),
    body=st.binary(max_size=60),
    last=st.integers(1, 255),
)


def nal(kind: int, size: int, *, fill: int = 0x55, first: bool = True) -> bytes:
    """A NAL unit of `size` bytes; a slice is the first of its picture unless told otherwise."""
    return bytes([kind << 1, 1, (0x80 if first else 0) | fill & 0x7F]) + bytes([fill]) * (size - 3)


def picture(number: int, *, irap: bool = False, size: int = 300) -> list[bytes]:
    """NAL units of picture `number`: one slice, parameter sets in front of an IRAP."""
    fill = 1 + number % 250
    if not irap:
        return [nal(NalType.TRAIL_R, size, fill=fill)]
    sets = [nal(kind, 20, fill=fill) for kind in (NalType.VPS, NalType.SPS, NalType.PPS)]
    return [*sets, nal(NalType.IDR_W_RADL, size, fill=fill)]


def pictures(sizes: Sequence[int], iraps: Sequence[int] = (0,)) -> list[list[bytes]]:
    """A stream of pictures with slices of these sizes; IRAPs at the given numbers."""
    return [picture(n, irap=n in iraps, size=size) for n, size in enumerate(sizes)]


def packets_of(
    units: Sequence[Sequence[bytes]],
    *,
    sequence: int = 0,
    timestamp: int = 0,
    max_payload_bytes: int = 1200,
) -> list[list[MediaPacket]]:
    """Packets of each access unit, numbered on from `sequence`, wrapping."""
    units_packets = []
    for number, nals in enumerate(units):
        payloads = packetize(nals, max_payload_bytes)
        ticks = (timestamp + number * FRAME_TICKS) & 0xFFFFFFFF
        units_packets.append(
            [
                MediaPacket((sequence + at) & 0xFFFF, ticks, at == len(payloads) - 1, payload)
                for at, payload in enumerate(payloads)
            ]
        )
        sequence += len(payloads)
    return units_packets


def annexb(units: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The byte stream of each access unit."""
    return [join_annexb(nals) for nals in units]
