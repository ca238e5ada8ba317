"""What was sent lately, for retransmission on a stream of its own (RFC 4588)."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice

from link.errors import WireError
from link.packet import MediaPacket

DEFAULT_MAX_AGE_US = 2_000_000
DEFAULT_MAX_BYTES = 8 << 20
DEFAULT_MIN_RESEND_US = 10_000
RESEND_SHARE = 0.5  # of a round trip, within which nothing is sent again
MIN_RESEND_MAX_US = 1_000_000
_OSN_BYTES = 2


def rtx_payload(sequence: int, payload: bytes) -> bytes:
    """Payload of a retransmission packet: original sequence number, original payload (sec. 4)."""
    return (sequence & 0xFFFF).to_bytes(_OSN_BYTES, "big") + payload


def parse_rtx(payload: bytes) -> tuple[int, bytes]:
    """The inverse of `rtx_payload`.

    Raises WireError when no original payload is in it, as in padding that probes bandwidth.
    """
    if len(payload) <= _OSN_BYTES:
        raise WireError(f"retransmission of {len(payload)} bytes carries no packet")
    return int.from_bytes(payload[:_OSN_BYTES], "big"), payload[_OSN_BYTES:]


@dataclass
class _Entry:
    packet: MediaPacket
    sent_us: int  # last time, first or again
    expires_us: int


class SendHistory:
    """Packets of the last `max_age_us`, as many of them as `max_bytes` of payload hold.

    The oldest go first. A packet is handed out at most once per `min_resend_us` and half a round
    trip: NACKs come every 20 ms, because they are lost like any packet, and must not multiply.
    """

    def __init__(
        self,
        *,
        max_age_us: int = DEFAULT_MAX_AGE_US,
        max_bytes: int = DEFAULT_MAX_BYTES,
        min_resend_us: int = DEFAULT_MIN_RESEND_US,
    ) -> None:
        self._max_age_us = max_age_us
        self._max_bytes = max_bytes
        self._least_resend_us = self._min_resend_us = min_resend_us
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set_rtt(self, rtt_us: float) -> None:
        """Round trip time as measured."""
        wait_us = min(round(RESEND_SHARE * rtt_us), MIN_RESEND_MAX_US)
        self._min_resend_us = max(self._least_resend_us, wait_us)

    @property
    def payload_bytes(self) -> int:
        """Bytes of payload held."""
        return self._bytes

    def add(self, packet: MediaPacket, now_us: int) -> None:
        """Remembers a packet that leaves now; a packet of the same sequence number is replaced."""
        replaced = self._entries.pop(packet.sequence, None)
        if replaced is not None:
            self._bytes -= len(replaced.packet.payload)
        self._entries[packet.sequence] = _Entry(packet, now_us, now_us + self._max_age_us)
        self._bytes += len(packet.payload)
        self._evict(now_us)

    def get(self, sequence: int, now_us: int) -> MediaPacket | None:
        """The packet to send again now; None when it is too old, unknown or sent just now."""
        self._evict(now_us)
        entry = self._entries.get(sequence)
        if entry is None or now_us - entry.sent_us < self._min_resend_us:
            return None
        entry.sent_us = now_us
        return entry.packet

    def recent(self, count: int) -> list[MediaPacket]:
        """The last `count` packets, newest first, whenever they were sent again."""
        newest = islice(reversed(self._entries.values()), count)
        return [entry.packet for entry in newest]

    def _evict(self, now_us: int) -> None:
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if self._bytes <= self._max_bytes and now_us <= oldest.expires_us:
                return
            self._entries.popitem(last=False)
            self._bytes -= len(oldest.packet.payload)
