"""Whether the peer is still there: consent checks (RFC 7675) that notice a dead one within 3 s."""

from collections import OrderedDict

PEER_SILENCE_MAX_US = 2_750_000  # then the peer is dead; a blackout of 2 s is survived
MAX_OPEN_PROBES = 64


def probe_interval_us(silence_us: int) -> int:
    """Time between probes, us: seldom while media flows, dense once the peer is silent."""
    if silence_us < 600_000:
        return 2_000_000  # for the round trip time alone
    return 400_000 if silence_us < 1_200_000 else 100_000


class Consent:
    """Counts the silence of a peer and measures its round trip time. Times in us, one clock.

    Anything that the peer alone can have sent counts as a sign of life: signed STUN, SRTP, SRTCP.
    """

    def __init__(self, now_us: int) -> None:
        self.rtt_us: int | None = None  # of the last answered probe
        self.last_heard_us = now_us
        self._probed_us: int | None = None
        self._open: OrderedDict[bytes, int] = OrderedDict()  # transaction id -> sent

    def heard(self, now_us: int) -> None:
        self.last_heard_us = now_us

    def silence_us(self, now_us: int) -> int:
        return now_us - self.last_heard_us

    def is_lost(self, now_us: int) -> bool:
        return self.silence_us(now_us) >= PEER_SILENCE_MAX_US

    def probe_due(self, now_us: int) -> bool:
        """Whether the next probe should leave now."""
        if self._probed_us is None:
            return True
        return now_us - self._probed_us >= probe_interval_us(self.silence_us(now_us))

    def probed(self, transaction_id: bytes, now_us: int) -> None:
        """A probe leaves now."""
        self._probed_us = now_us
        self._open[transaction_id] = now_us
        if len(self._open) > MAX_OPEN_PROBES:
            self._open.popitem(last=False)

    def answered(self, transaction_id: bytes, now_us: int) -> None:
        """A signed STUN message came; if it answers a probe, the round trip time is known."""
        self.heard(now_us)
        sent_us = self._open.pop(transaction_id, None)
        if sent_us is not None:
            self.rtt_us = now_us - sent_us
