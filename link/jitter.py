"""RTP packets in any order to whole access units in order, and what to ask the sender for.

An access unit comes out when its marker packet and all before it are here (RFC 7798, 4.1), not
when the next one begins. For one that stays incomplete past the latency budget an IRAP is asked
for; whichever is whole first goes on. Given up, a unit is never handed out, and the next one has
`gap_before`.
"""

from dataclasses import dataclass, replace

from link.access_unit import AccessUnit
from link.assembly import assemble, can_start_decoding, may_begin_irap, seems_whole
from link.nack import NackList
from link.nal import is_irap, join_annexb
from link.packet import MediaPacket
from link.sequence import difference, timestamp_span_us, unwrap_sequence

DEFAULT_MAX_PACKETS = 2048
DEFAULT_MAX_BYTES = 8 << 20
DEFAULT_LATENCY_BUDGET_US = 400_000
OUTAGE_PACKETS = 8  # missing in a row, and over a longer time than the latency budget
ENTRY_PATIENCE_US = 10_000  # before an IRAP is asked for at the beginning
GRACE_US = 400_000  # beyond the latency budget, while no IRAP has come either
LATENCY_BUDGET_MAX_US = 2_000_000  # what a sender keeps (link.history)
ASKING_US = 150_000  # beyond the round trips: until a loss is seen, and what the network varies
DEFAULT_MAX_NACKS = 10
_RESTART_NEIGHBOURS = 16  # two stray packets this near to each other are a restarted sender
_LATE_US = 10_000_000  # a stray packet whose timestamp is older by less than this is only late


@dataclass
class JitterCounts:
    """What a JitterBuffer has seen since it was made."""

    units: int = 0  # access units handed out
    units_lost: int = 0  # given up; a hole that swallows several units whole counts as one
    packets_lost: int = 0  # given up
    packets_recovered: int = 0  # came after they had been asked for
    packets_late: int = 0  # of no use any more, copies of used ones among them
    packets_duplicate: int = 0  # held already
    restarts: int = 0  # the sender began anew at another sequence number


class JitterBuffer:
    """Bounded in packets and in bytes of payload; the oldest access unit is given up for room.

    Call `add` for each packet, then `pop` until it gives None; `pop` and `missing` also about every
    10 ms. All times are of one monotonic clock, in us. A stream is entered at an access unit that
    begins with its AUD or VPS and holds parameter sets or an IRAP; before it nothing comes out.
    """

    def __init__(
        self,
        *,
        max_packets: int = DEFAULT_MAX_PACKETS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        latency_budget_us: int = DEFAULT_LATENCY_BUDGET_US,
        max_nacks: int = DEFAULT_MAX_NACKS,
        eager: bool = False,
    ) -> None:
        """`eager`: the sender itself does not answer a NACK too often (link.history)."""
        self._counts = JitterCounts()
        self._max_packets = max_packets
        self._max_bytes = max_bytes
        self._least_budget_us = latency_budget_us
        self._latency_budget_us = latency_budget_us
        self._nacks = NackList(max_nacks=max_nacks, eager=eager)
        self.irap_us: int | None = None  # when the latest packet of what may be an IRAP came
        self._irap_timestamp: int | None = None
        self._gap = False
        self._repairs_come = False
        self._irap_wanted = False
        self._lost_timestamp: int | None = None
        self._stray: tuple[MediaPacket, int] | None = None
        self._reset()

    def _reset(self) -> None:
        """Back to before the first packet. Sequence numbers are unwrapped from the next one on."""
        self._packets: dict[int, tuple[MediaPacket, int]] = {}  # with their time of arrival
        self._bytes = 0
        self._begun_us: int | None = None  # first packet
        self._newest = 0
        self._newest_timestamp = 0
        self._entered = False
        self._entries: set[int] = set()  # packets that may begin an IRAP
        self._overdue = False  # the head's unit, past the latency budget
        self._head = 0  # first packet of the next access unit
        self._head_certain = False  # its unit has no packet in front of it
        self._frontier = 0  # from the head up to here all packets are of the head's unit
        self._nacks.clear()

    @property
    def counts(self) -> JitterCounts:
        """The figures as of now."""
        return replace(self._counts)

    @property
    def restarts(self) -> int:
        """How often the sender began anew at another sequence number."""
        return self._counts.restarts

    @property
    def irap_wanted(self) -> bool:
        """Whether an IRAP is needed to go on without damage, or soon; true until one comes out, or
        what was missing."""
        return self._irap_wanted or self._overdue

    @property
    def missing_packets(self) -> int:
        """Packets that are waited for."""
        return len(self._nacks)

    @property
    def held_packets(self) -> int:
        """Packets in the buffer."""
        return len(self._packets)

    @property
    def held_bytes(self) -> int:
        """Bytes of payload in the buffer."""
        return self._bytes

    def set_rtt(self, rtt_us: int) -> None:
        """Round trip time as measured: no packet is asked for again within it.

        Where two of them do not fit into the latency budget, it grows: a packet should be asked
        for twice before its picture is given up.
        """
        self._nacks.rtt_us = rtt_us
        needed_us = min(2 * rtt_us + ASKING_US, LATENCY_BUDGET_MAX_US)
        self._latency_budget_us = max(self._least_budget_us, needed_us)

    def on_repair(self, base: int, count: int, timestamp: int, now_us: int) -> None:
        """A repair packet over `count` packets from `base` (16 bits) on came and was made use of:
        what is still missing of them is asked for; `timestamp` is of the last of them."""
        self._repairs_come = True
        if self._begun_us is None:
            return
        first = unwrap_sequence(base, self._newest)
        last = first + count - 1
        if last > self._newest and last - self._newest <= self._max_packets:
            self._note_holes(last, timestamp, now_us)
            self._await(range(last, last + 1), now_us, self._latency_budget_us)
        self._nacks.hurry(range(first, last + 1), now_us)

    def repairs_ceased(self) -> None:
        """No repair packets come any longer: missing packets are asked for without waiting."""
        self._repairs_come = False

    def missing(self, now_us: int) -> list[int]:
        """Sequence numbers (16 bits) to NACK now, in order."""
        return [sequence & 0xFFFF for sequence in self._nacks.due(now_us)]

    def add(self, packet: MediaPacket, now_us: int, *, restored: bool = False) -> bool:
        """Takes a packet, retransmitted ones alike. False when it is of no use.

        `restored`: by error correction, which says nothing about when packets come.
        """
        may_begin = may_begin_irap(packet.payload)
        if not restored and (may_begin or packet.timestamp == self._irap_timestamp):
            self.irap_us, self._irap_timestamp = now_us, packet.timestamp
        if self._begun_us is None:
            self._begun_us = now_us
            self._newest = packet.sequence - 1
            self._newest_timestamp = packet.timestamp
        sequence = unwrap_sequence(packet.sequence, self._newest)
        if abs(sequence - self._newest) > self._max_packets:
            return self._add_stray(packet, now_us)
        self._stray = None
        if self._entered and sequence < self._head:
            self._counts.packets_late += 1
            return False
        if sequence in self._packets:
            self._counts.packets_duplicate += 1
            return False
        if sequence > self._newest:
            self._note_holes(sequence, packet.timestamp, now_us)
        elif not self._entered and sequence < (lowest := min(self._packets, default=sequence)):
            self._await(range(sequence + 1, lowest), now_us, self._latency_budget_us)
        elif restored:
            self._nacks.drop(sequence)
        else:
            self._counts.packets_recovered += self._nacks.arrived(sequence, now_us)
        self._packets[sequence] = packet, now_us
        self._bytes += len(packet.payload)
        if may_begin:
            self._entries.add(sequence)
        self._make_room()
        return True

    def _note_holes(self, sequence: int, timestamp: int, now_us: int) -> None:
        wait_us = self._latency_budget_us
        is_outage = sequence - self._newest > OUTAGE_PACKETS
        if is_outage and timestamp_span_us(timestamp, self._newest_timestamp) > wait_us:
            wait_us = 0  # what is missing is too old to wait for: on to the next IRAP
        # Repairs leave behind their picture. Those of an earlier one have been here by now: where
        # asking helps in time (a freeze is 190 ms), it must not wait for those of later ones.
        same = timestamp == self._newest_timestamp
        hold = self._repairs_come and (same or self._nacks.rtt_us > ASKING_US)
        self._await(range(self._newest + 1, sequence), now_us, wait_us, hold=hold)
        self._newest = sequence
        self._newest_timestamp = timestamp

    def _await(self, holes: range, now_us: int, wait_us: int, *, hold: bool = False) -> None:
        overdue_us = now_us + wait_us
        deadline_us = overdue_us + (GRACE_US if wait_us else 0)
        for sequence in holes:
            self._nacks.add(sequence, now_us, overdue_us, deadline_us, hold=hold)

    def _add_stray(self, packet: MediaPacket, now_us: int) -> bool:
        """A packet far from all others: late, or the first after the sender began anew.

        A second one beside it decides (as in RFC 3550, A.1).
        """
        age_us = timestamp_span_us(self._newest_timestamp, packet.timestamp)
        if difference(packet.sequence, self._newest & 0xFFFF, 16) < 0 and 0 <= age_us < _LATE_US:
            self._counts.packets_late += 1
            return False
        other, self._stray = self._stray, (packet, now_us)
        if other is None or other[0].sequence == packet.sequence:
            return False
        if abs(difference(packet.sequence, other[0].sequence, 16)) > _RESTART_NEIGHBOURS:
            return False
        self._stray = None
        self._reset()
        self._gap = self._irap_wanted = True
        self._counts.restarts += 1
        self.add(*other)
        return self.add(packet, now_us)

    def _make_room(self) -> None:
        while (
            len(self._packets) > self._max_packets
            or self._bytes > self._max_bytes
            or (self._entered and self._newest - self._head >= self._max_packets)
        ):
            if self._entered:
                self._skip_unit()
            else:
                self._drop(min(self._packets))
        if not self._entered:
            self._nacks.forget_below(self._newest - self._max_packets)

    def pop(self, now_us: int) -> AccessUnit | None:
        """The next whole access unit, in decoding order; None when there is none yet."""
        self._overdue = False
        while self._entered or self._enter(now_us):
            end = self._unit_end()
            if end is not None:
                unit = self._take(end)
                if unit is not None:
                    return unit
            elif self._hopeless(now_us):
                self._skip_unit()
            else:
                return None
        return None

    def _enter(self, now_us: int) -> bool:
        """Goes to the first access unit that decoding can start at; drops what precedes it."""
        while self._entries:
            start = self._head = self._frontier = min(self._entries)
            end = self._unit_end()
            if end is None and not self._hopeless(now_us):
                return False
            if end is not None and can_start_decoding(self._nals(start, end) or []):
                self._entered = self._head_certain = True
                self._frontier = start
                for sequence in [at for at in self._packets if at < start]:
                    self._drop(sequence)
                self._nacks.forget_below(start)
                return True
            self._entries.remove(start)
        if self._begun_us is not None and now_us - self._begun_us >= ENTRY_PATIENCE_US:
            self._irap_wanted = True
        return False

    def _unit_end(self) -> int | None:
        """One past the last packet of the head's access unit; None while it is incomplete.

        A new timestamp ends it as well, for senders that forget the marker.
        """
        self._frontier, is_whole = self._walk(self._head, self._frontier)
        return self._frontier if is_whole else None

    def _walk(self, start: int, at: int) -> tuple[int, bool]:
        """From `at` on through the packets of the unit that begins at `start`: how far they are
        here, and whether it ends there."""
        while (held := self._packets.get(at)) is not None:
            if held[0].timestamp != self._packets[start][0].timestamp:
                return at, True
            at += 1
            if held[0].marker:
                return at, True
        return at, False

    def _hopeless(self, now_us: int) -> bool:
        """Whether the packet that the head's unit lacks is not waited for any longer."""
        if self._frontier >= self._newest:
            return False
        if self._nacks.expired(self._frontier, now_us):
            return True
        self._overdue = self._nacks.overdue(self._frontier, now_us)
        return self._overdue and self._irap_is_here()

    def _irap_is_here(self) -> bool:
        """Whether decoding can go on behind the head: at the newest unit that may be an IRAP."""
        start = max(self._entries, default=self._head)
        if start <= self._head:
            return False
        end, is_whole = self._walk(start, start)
        return is_whole and any(is_irap(nal) for nal in self._nals(start, end) or [])

    def _nals(self, start: int, end: int) -> list[bytes] | None:
        return assemble(self._packets[at][0].payload for at in range(start, end))

    def _take(self, end: int) -> AccessUnit | None:
        """Hands the head's unit out; None when it is padding only, damaged, or a torn rest."""
        nals = self._nals(self._head, end)
        timestamp = self._packets[self._head][0].timestamp
        received_us = max(self._packets[at][1] for at in range(self._head, end))
        certain = self._head_certain
        self._advance(end, certain=True)
        if nals is None or (nals and not certain and not seems_whole(nals)):
            self._lose(timestamp)
            return None
        if not nals:
            return None
        irap = any(is_irap(nal) for nal in nals)
        unit = AccessUnit(join_annexb(nals), timestamp, irap, received_us, self._gap)
        self._gap = False
        self._irap_wanted = self._irap_wanted and not irap
        self._counts.units += 1
        return unit

    def _skip_unit(self) -> None:
        """Gives the head's unit up and goes on where the next may begin."""
        start = self._head
        if not self._packets:  # a repair packet told of some, and none came
            self._lose(self._newest_timestamp)
            self._advance(start + 1, certain=False)
            return
        while start not in self._packets:
            start += 1
        timestamp = self._packets[start][0].timestamp
        self._lose(timestamp)
        if start > self._head:  # a hole only: what follows is judged when it is complete
            self._advance(start, certain=False)
            return
        while start <= self._newest:
            held = self._packets.get(start)
            if held is not None and held[0].timestamp != timestamp:
                self._advance(start, certain=start - 1 in self._packets)
                return
            start += 1
            if held is not None and held[0].marker:
                self._advance(start, certain=True)
                return
        self._advance(start, certain=False)

    def _lose(self, timestamp: int) -> None:
        """An access unit is lost; the pieces of one count once."""
        self._gap = self._irap_wanted = True
        self._counts.units_lost += timestamp != self._lost_timestamp
        self._lost_timestamp = timestamp

    def _advance(self, head: int, *, certain: bool) -> None:
        for sequence in range(self._head, head):
            self._drop(sequence)
            self._counts.packets_lost += self._nacks.drop(sequence)
        self._head = self._frontier = head
        self._head_certain = certain

    def _drop(self, sequence: int) -> None:
        held = self._packets.pop(sequence, None)
        if held is not None:
            self._bytes -= len(held[0].payload)
        self._entries.discard(sequence)
