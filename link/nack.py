"""Which packets are missing, when to ask for each (RFC 4585, 6.2.1), and until when to hope."""

from dataclasses import dataclass

DEFAULT_RTT_US = 100_000  # until RTCP has measured it
MIN_RETRY_US = 20_000


@dataclass
class _Missing:
    next_nack_us: int
    deadline_us: int
    nacks: int = 0


class NackList:
    """Missing packets by unwrapped sequence number.

    Each is asked for after `reorder_delay_us`, because it may only be late, and then every
    max(rtt, 20 ms), `max_nacks` times at most and never past its deadline.
    """

    def __init__(self, *, reorder_delay_us: int, max_nacks: int) -> None:
        self.rtt_us = DEFAULT_RTT_US
        self._reorder_delay_us = reorder_delay_us
        self._max_nacks = max_nacks
        self._missing: dict[int, _Missing] = {}

    def __len__(self) -> int:
        return len(self._missing)

    def add(self, sequence: int, now_us: int, deadline_us: int) -> None:
        """A packet is seen to be missing."""
        self._missing[sequence] = _Missing(now_us + self._reorder_delay_us, deadline_us)

    def arrived(self, sequence: int) -> bool:
        """A packet has come after all. True when it had been asked for."""
        missing = self._missing.pop(sequence, None)
        return missing is not None and missing.nacks > 0

    def expired(self, sequence: int, now_us: int) -> bool:
        """Whether a packet that is not here will not be waited for (any longer)."""
        missing = self._missing.get(sequence)
        return missing is None or now_us >= missing.deadline_us

    def due(self, now_us: int) -> list[int]:
        """Packets to ask for now; counts as asked."""
        due = []
        for sequence, missing in self._missing.items():
            if missing.next_nack_us <= now_us < missing.deadline_us:
                if missing.nacks < self._max_nacks:
                    due.append(sequence)
                    missing.nacks += 1
                missing.next_nack_us = now_us + max(self.rtt_us, MIN_RETRY_US)
        return sorted(due)

    def forget_below(self, sequence: int) -> int:
        """Drops the packets in front of `sequence`; how many they were."""
        gone = [missing for missing in self._missing if missing < sequence]
        for missing in gone:
            del self._missing[missing]
        return len(gone)

    def clear(self) -> None:
        """Drops all."""
        self._missing.clear()
