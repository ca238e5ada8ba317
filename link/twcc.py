"""Transport-wide feedback: which packets came, and when.

Wire format of draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1: an RTCP transport
layer feedback packet (PT 205, FMT 15). Every RTP packet of the sender, retransmissions included,
carries a number of 16 bits in a header extension (`link.header_extensions`); the receiver tells
when each came.

    on_rtp -> ArrivalLog -> TransportFeedback bytes ===> parse_feedback -> link.congestion
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from link.errors import WireError
from link.sequence import unwrap_sequence

RTPFB_PACKET_TYPE = 205
TRANSPORT_FEEDBACK_FORMAT = 15
MAX_STATUSES = 512  # of one feedback packet: what is written (it fits a datagram) and believed
TICK_US = 250
REFERENCE_US = 64_000
_FIXED_BYTES = 8
_HEADER = struct.Struct("!BBH")
_VECTOR_STATUSES = 7
_RUN_MAX = (1 << 13) - 1
_LOST, _SMALL, _LARGE = 0, 1, 2
_REFERENCE_MASK = (1 << 24) - 1


@dataclass(frozen=True)
class Feedback:
    """Arrivals of consecutive packets from number `base` (16 bits) on.

    Times are us on the receiver's clock, wrapping after 2^24 * 64 ms; None: did not come.
    """

    base: int
    count: int  # of feedback packets, 8 bits
    arrivals_us: tuple[int | None, ...]


@dataclass(frozen=True)
class TransportFeedback:
    """A whole RTCP packet, to be sent in a compound like those of aiortc."""

    ssrc: int
    media_ssrc: int
    feedback: Feedback

    def __bytes__(self) -> bytes:
        fci = build_fci(self.feedback)
        body = struct.pack("!LL", self.ssrc & 0xFFFFFFFF, self.media_ssrc & 0xFFFFFFFF) + fci
        first = 0x80 | TRANSPORT_FEEDBACK_FORMAT
        return _HEADER.pack(first, RTPFB_PACKET_TYPE, len(body) // 4) + body


def build_fci(feedback: Feedback) -> bytes:
    """Feedback control information, padded to 32 bits.

    Arrivals further apart than a delta can tell (8.19 s) count as lost.
    """
    known = [arrival for arrival in feedback.arrivals_us if arrival is not None]
    reference = (known[0] if known else 0) // REFERENCE_US
    at_ticks = reference * REFERENCE_US // TICK_US
    symbols: list[int] = []
    deltas = b""
    for arrival_us in feedback.arrivals_us:
        delta = None if arrival_us is None else arrival_us // TICK_US - at_ticks
        if delta is None or not -(1 << 15) <= delta < 1 << 15:
            symbols.append(_LOST)
            continue
        at_ticks += delta
        symbols.append(_SMALL if 0 <= delta < 256 else _LARGE)
        deltas += struct.pack("!B" if 0 <= delta < 256 else "!h", delta)
    head = struct.pack("!HH", feedback.base & 0xFFFF, len(symbols))
    head += struct.pack("!L", (reference & _REFERENCE_MASK) << 8 | feedback.count & 0xFF)
    data = head + b"".join(_chunks(symbols)) + deltas
    return data + bytes(-len(data) % 4)


def parse_feedback(fci: bytes) -> Feedback:
    """The inverse of `build_fci`. Raises WireError."""
    if len(fci) < _FIXED_BYTES:
        raise WireError(f"transport feedback of {len(fci)} bytes is too short")
    base, statuses, packed = struct.unpack_from("!HHL", fci)
    if not 0 < statuses <= MAX_STATUSES:
        raise WireError(f"transport feedback on {statuses} packets")
    symbols, position = _read_symbols(fci, statuses)
    at_ticks = (packed >> 8) * REFERENCE_US // TICK_US
    arrivals: list[int | None] = []
    for symbol in symbols:
        if symbol == _LOST:
            arrivals.append(None)
            continue
        size, form = (1, "!B") if symbol == _SMALL else (2, "!h")
        if position + size > len(fci):
            raise WireError("transport feedback ends within its arrival times")
        at_ticks += struct.unpack_from(form, fci, position)[0]
        position += size
        arrivals.append(at_ticks * TICK_US)
    return Feedback(base, packed & 0xFF, tuple(arrivals))


def feedbacks_in(compound: bytes) -> Iterator[Feedback]:
    """Transport feedback in a compound RTCP packet; what does not parse is left out."""
    position = 0
    while position + _HEADER.size <= len(compound):
        first, packet_type, words = _HEADER.unpack_from(compound, position)
        end = position + 4 * (words + 1)
        is_feedback = packet_type == RTPFB_PACKET_TYPE and first & 0x1F == TRANSPORT_FEEDBACK_FORMAT
        if is_feedback and end <= len(compound):
            with suppress(WireError):  # the next one tells of later packets
                yield parse_feedback(compound[position + 12 : end])
        position = end


class ArrivalLog:
    """What a receiver has seen since its last feedback but one: everything is told of twice, since
    feedback may be lost, and what seemed lost may only have been overtaken."""

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = {}  # by unwrapped number
        self._again = 0  # the first that one feedback told of
        self._next: int | None = None  # the first that none told of yet
        self._newest = 0
        self._count = 0
        self._untold = 0

    def add(self, sequence: int, now_us: int) -> None:
        """A packet came. One that was told of twice already is left out."""
        if self._next is None:
            self._next = self._again = self._newest = sequence
        number = unwrap_sequence(sequence, self._newest)
        if number < self._again or number in self._arrivals:
            return
        if number - self._again >= MAX_STATUSES:  # a jump: what is between is not worth telling
            self._again = number - MAX_STATUSES + 1
            self._next = max(self._next, self._again)
            self._arrivals = {n: at for n, at in self._arrivals.items() if n >= self._again}
        self._newest = max(self._newest, number)
        self._arrivals[number] = now_us
        self._untold += 1

    def __len__(self) -> int:
        """Arrivals that no feedback told of yet."""
        return self._untold

    def take(self) -> Feedback | None:
        """Feedback on all that came since the last but one; None when nothing came since the
        last."""
        if not self._untold or self._next is None:
            return None
        numbers = range(self._again, self._newest + 1)
        arrivals = tuple(self._arrivals.get(number) for number in numbers)
        feedback = Feedback(self._again & 0xFFFF, self._count, arrivals)
        self._again, self._next, self._untold = self._next, self._newest + 1, 0
        self._arrivals = {n: at for n, at in self._arrivals.items() if n >= self._again}
        self._count = (self._count + 1) & 0xFF
        return feedback


def _chunks(symbols: Sequence[int]) -> Iterator[bytes]:
    """Packet chunks (sections 3.1.3 and 3.1.4): runs where they save bytes, else vectors of 7."""
    position = 0
    while position < len(symbols):
        symbol = symbols[position]
        run = 1
        while position + run < len(symbols) and symbols[position + run] == symbol:
            run += 1
        if run >= _VECTOR_STATUSES or position + run == len(symbols):
            run = min(run, _RUN_MAX)
            yield struct.pack("!H", symbol << 13 | run)
            position += run
            continue
        vector = 0b11 << 14
        for place, item in enumerate(symbols[position : position + _VECTOR_STATUSES]):
            vector |= item << (2 * (_VECTOR_STATUSES - 1 - place))
        yield struct.pack("!H", vector)
        position += _VECTOR_STATUSES


def _read_symbols(fci: bytes, count: int) -> tuple[list[int], int]:
    """Status symbols, and where the arrival times begin."""
    symbols: list[int] = []
    position = _FIXED_BYTES
    while len(symbols) < count:
        if position + 2 > len(fci):
            raise WireError("transport feedback ends within its packet statuses")
        (chunk,) = struct.unpack_from("!H", fci, position)
        position += 2
        if not chunk >> 15:
            symbols += [chunk >> 13 & 3] * min(chunk & _RUN_MAX, count - len(symbols))
            if not chunk & _RUN_MAX:
                raise WireError("transport feedback has a run of no packets")
        elif chunk >> 14 & 1:
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    del symbols[count:]
    if 3 in symbols:
        raise WireError("transport feedback has a reserved packet status")
    return symbols, position
