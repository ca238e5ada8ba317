"""Forward error correction over a sliding window of packets: the code and its wire format.

A repair packet is a linear combination over GF(2^8) of the last packets of the stream, whatever
pictures they are of (the sliding window codes of RFC 8681); any as many repair packets as there are
losses give them back. Coefficients are those of a Cauchy matrix, 1 / (x + y) with x of the repair
packet and y of the source packet, of which every square part can be inverted.

    RTP, a payload type and an SSRC of its own; its sequence number is x
    payload:  base(16) count(8) | sum over base .. base + count - 1 of coefficient * symbol
    symbol:   marker(1) length(15) timestamp(32) payload, zeros up to the longest

Header extensions are left out: they change with every transmission. Negotiated as the format
`x-denc-fec/90000`, which a stock peer leaves out of its answer; its SSRC is grouped with the
media's under FEC-FR (RFC 5956, section 4.3).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from link.errors import WireError
from link.galois import added, inverse, scaled
from link.packet import MediaPacket
from link.sequence import difference, timestamp_span_us

FEC_FORMAT = "x-denc-fec"
WINDOW_MAX_PACKETS = 64  # of 128 different y
WINDOW_US = 130_000  # what is older would come back too late: a freeze is a gap of 190 ms
SYMBOL_MAX_BYTES = 1500
_HALF = 128
_HEAD_BYTES = 3
_SYMBOL_HEAD_BYTES = 6
_MARKER = 0x8000


@dataclass(frozen=True)
class Repair:
    """One repair packet, parsed."""

    number: int  # its own sequence number
    base: int  # first packet that it covers, 16 bits
    count: int
    data: bytes


def coefficient(number: int, sequence: int) -> int:
    """Of a source packet in a repair packet; never 0."""
    return inverse(_HALF + number % _HALF ^ sequence % _HALF)


def to_symbol(packet: MediaPacket) -> bytes:
    """What a repair packet adds up. Raises ValueError for a payload that no datagram holds."""
    if len(packet.payload) > SYMBOL_MAX_BYTES - _SYMBOL_HEAD_BYTES:
        raise ValueError(f"a payload of {len(packet.payload)} bytes cannot be protected")
    head = (_MARKER if packet.marker else 0) | len(packet.payload)
    return head.to_bytes(2, "big") + packet.timestamp.to_bytes(4, "big") + packet.payload


def from_symbol(sequence: int, symbol: bytes) -> MediaPacket:
    """The packet that `to_symbol` was given. Raises WireError."""
    if len(symbol) < _SYMBOL_HEAD_BYTES:
        raise WireError("a restored packet has no header")
    head = int.from_bytes(symbol[:2], "big")
    end = _SYMBOL_HEAD_BYTES + (head & ~_MARKER)
    if end > len(symbol):
        raise WireError("a restored packet is longer than what restored it")
    timestamp = int.from_bytes(symbol[2:_SYMBOL_HEAD_BYTES], "big")
    payload = symbol[_SYMBOL_HEAD_BYTES:end]
    return MediaPacket(sequence & 0xFFFF, timestamp, bool(head & _MARKER), payload)


def parse_repair(number: int, payload: bytes) -> Repair:
    """Raises WireError."""
    data = payload[_HEAD_BYTES:]
    if not _SYMBOL_HEAD_BYTES <= len(data) <= SYMBOL_MAX_BYTES:
        raise WireError(f"repair packet of {len(payload)} bytes")
    if not 0 < payload[2] <= WINDOW_MAX_PACKETS:
        raise WireError(f"repair packet over {payload[2]} packets")
    return Repair(number, int.from_bytes(payload[:2], "big"), payload[2], data)


class FecWindow:
    """The sender's last packets: of WINDOW_US and at most WINDOW_MAX_PACKETS."""

    def __init__(self) -> None:
        self._packets: deque[tuple[MediaPacket, bytes]] = deque(maxlen=WINDOW_MAX_PACKETS)

    def __len__(self) -> int:
        return len(self._packets)

    def add(self, packet: MediaPacket) -> None:
        """A packet of the stream left; one that does not follow the last begins anew."""
        if self._packets:
            last = self._packets[-1][0]
            if difference(packet.sequence, last.sequence, 16) != 1:
                self._packets.clear()
        self._packets.append((packet, to_symbol(packet)))
        while timestamp_span_us(packet.timestamp, self._packets[0][0].timestamp) > WINDOW_US:
            self._packets.popleft()

    def repair(self, number: int) -> tuple[int, bytes]:
        """RTP timestamp and payload of a repair packet over the window, which is not empty."""
        data = b""
        for packet, symbol in self._packets:
            data = added(data, scaled(symbol, coefficient(number, packet.sequence)))
        base = self._packets[0][0].sequence
        head = base.to_bytes(2, "big") + len(self._packets).to_bytes(1, "big")
        return self._packets[-1][0].timestamp, head + data
