"""Which packets are missing, when to ask for each (RFC 4585, 6.2.1), and until when to hope.

A sender that takes care itself not to answer too often (`eager`: denc's) is asked every 20 ms: on
the way back there are few packets, so that a burst of losses that swallows some of them lasts long.

A missing packet is asked for at once where packets come in order. One that comes sooner after it
was asked for than a round trip takes was only late: others then get that long before they are
asked for, and less again as nothing is late any more.
"""

from dataclasses import dataclass

DEFAULT_RTT_US = 100_000  # until RTCP has measured it
MIN_RETRY_US = 20_000
AGAIN_US = 12_000  # after the first time: NACK and retransmission may be lost like any packet
REORDER_MAX_US = 40_000  # that a packet may be late without being asked for
LATE_SHARE = 0.5  # of a round trip: what comes sooner was on its way already
LATENESS_MARGIN = 1.25
LATENESS_FADE = 0.98  # with every packet that was really lost
HOLD_US = 15_000  # where error correction is about to bring it without a question


@dataclass
class _Missing:
    noticed_us: int
    next_nack_us: int
    overdue_us: int
    deadline_us: int
    asked_us: int | None = None  # first
    nacks: int = 0


class NackList:
    """Missing packets by unwrapped sequence number.

    Each is asked for after the delay that late packets need, once more soon after, and then every
    max(rtt, 20 ms), `max_nacks` times at most and never past its deadline. (A sender answers the
    second as well: two chances in one round trip.) With `eager` every 20 ms from the second on.
    """

    def __init__(self, *, max_nacks: int, eager: bool = False) -> None:
        self.rtt_us = DEFAULT_RTT_US
        self._eager = eager
        self._reorder_us = 0.0
        self._max_nacks = max_nacks
        self._missing: dict[int, _Missing] = {}

    def __len__(self) -> int:
        return len(self._missing)

    def add(
        self, sequence: int, now_us: int, overdue_us: int, deadline_us: int, *, hold: bool = False
    ) -> None:
        """A packet is seen to be missing; with `hold` a repair packet over it is on its way."""
        first_us = now_us + max(round(self._reorder_us), HOLD_US if hold else 0)
        self._missing[sequence] = _Missing(now_us, first_us, overdue_us, deadline_us)

    def arrived(self, sequence: int, now_us: int) -> bool:
        """A packet has come after all. True when it had been asked for."""
        missing = self._missing.pop(sequence, None)
        if missing is None or missing.asked_us is None:
            return False
        if now_us - missing.asked_us < LATE_SHARE * self.rtt_us:
            lateness_us = LATENESS_MARGIN * (now_us - missing.noticed_us)
            self._reorder_us = min(max(self._reorder_us, lateness_us), REORDER_MAX_US)
        else:
            self._reorder_us *= LATENESS_FADE
        return True

    def drop(self, sequence: int) -> bool:
        """A packet is not missing any more, without having come; whether it was."""
        return self._missing.pop(sequence, None) is not None

    def hurry(self, sequences: range, now_us: int) -> None:
        """Error correction did not bring these: they are held back for reordering alone."""
        for sequence in sequences:
            missing = self._missing.get(sequence)
            if missing is not None and missing.asked_us is None:
                first_us = max(now_us, missing.noticed_us + round(self._reorder_us))
                missing.next_nack_us = min(missing.next_nack_us, first_us)

    def expired(self, sequence: int, now_us: int) -> bool:
        """Whether a packet that is not here will not be waited for (any longer)."""
        missing = self._missing.get(sequence)
        return missing is None or now_us >= missing.deadline_us

    def overdue(self, sequence: int, now_us: int) -> bool:
        """Whether a packet that is not here should have come by now."""
        missing = self._missing.get(sequence)
        return missing is None or now_us >= missing.overdue_us

    def due(self, now_us: int) -> list[int]:
        """Packets to ask for now; counts as asked."""
        due = []
        for sequence, missing in self._missing.items():
            if missing.next_nack_us <= now_us < missing.deadline_us:
                if self._eager or missing.nacks < self._max_nacks:
                    due.append(sequence)
                    missing.nacks += 1
                    if missing.asked_us is None:
                        missing.asked_us = now_us
                later_us = MIN_RETRY_US if self._eager else max(self.rtt_us, MIN_RETRY_US)
                missing.next_nack_us = now_us + (AGAIN_US if missing.nacks == 1 else later_us)
        return sorted(due)

    def forget_below(self, sequence: int) -> None:
        """Drops the packets in front of `sequence`."""
        for missing in [missing for missing in self._missing if missing < sequence]:
            del self._missing[missing]

    def clear(self) -> None:
        """Drops all."""
        self._missing.clear()
