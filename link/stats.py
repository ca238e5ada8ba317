"""Figures of the two ends of a session."""

from dataclasses import dataclass

from link.peer_clock import ClockEstimate, SentReport


@dataclass(frozen=True)
class SenderStats:
    """Of a MediaSender: since the session began, or as last reported by the peer."""

    bytes_sent: int  # RTP and RTCP before encryption
    packets_sent: int  # retransmissions aside
    packets_retransmitted: int
    nacks: int  # packets that the peer asked for
    plis: int  # PLI and FIR
    rtt_ms: float | None
    fraction_lost: float  # 0..1, last receiver report
    queue_packets: int  # waiting to be sent, about
    units_dropped: int
    remb_bps: int | None
    datagrams_refused: int  # garbage, forged, or from strangers
    target_bps: int | None = None  # what the path takes, on the wire; None: it is not watched
    media_bps: int | None = None  # of it, for the encoder
    packets_repair: int = 0  # of forward error correction


@dataclass(frozen=True)
class ReceiverStats:
    """Of a MediaReceiver: since the session began."""

    bytes_received: int  # RTP payloads, retransmissions included
    packets_received: int
    packets_lost: int  # never came, not even again
    packets_recovered: int  # came after they had been asked for
    nacks_sent: int  # packets asked for
    plis_sent: int
    units: int  # access units put out
    units_lost: int  # given up, or dropped because nobody took them
    jitter_ms: float
    rtt_ms: float | None
    queue_units: int
    datagrams_refused: int  # garbage, forged, or from strangers
    packets_repaired: int = 0  # restored by forward error correction, without being asked for
    clock: ClockEstimate | None = None  # of the sender
    sent: SentReport | None = None
