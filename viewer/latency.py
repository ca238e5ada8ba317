"""Where the time of a picture goes, from its capture until it is shown.

    sender_ms         capture to sent: capture, network and carrier of the streamer
    path_ms           until its last packet is here, retransmissions included
    jitter_buffer_ms  until decoding begins: waits for the pictures before it
    decode_ms         libavcodec
    wait_ms           in the latent buffer
    restore_ms        the whole batch that it is in
    sink_ms           each sink

The streamer's share follows from RTCP: a sender report tells what the media clock, which counts
capture times, reads at the moment of sending. Between two machines the clocks differ: the offset is
estimated (`link.peer_clock`) and taken out, and its uncertainty is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.figures import Figures
from link.peer_clock import ClockEstimate, SentReport
from link.sequence import RTP_CLOCK_HZ
from viewer.timeline import RTP_MODULUS, Stamped

STAGE_FIGURES = (
    "sender_ms", "path_ms", "jitter_buffer_ms", "decode_ms", "wait_ms", "restore_ms",
)  # fmt: skip
SENDER_MAX_US = 10_000_000  # more is another clock than the one that stamps pictures


@dataclass(frozen=True)
class Passage:
    """When a picture went through the viewer; monotonic clock, us, but `shown_us` in Unix time."""

    captured_us: int  # Unix time of the sender
    arrived_us: int
    decoded_us: int
    taken_us: int  # out of the buffer
    restored_us: int
    shown_us: int


class Latency:
    """Observes the stages into the figures. Thread-safe: every field is replaced as a whole."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._clock: ClockEstimate | None = None
        self._sender_us: int | None = None
        self._newest: Stamped | None = None

    def begin(self) -> None:
        """Another stream: nothing is known of its sender."""
        self._clock = self._sender_us = self._newest = None

    def reported(self, clock: ClockEstimate | None, sent: SentReport | None) -> None:
        """What the link knows of the sender's clock, about once a second."""
        self._clock = clock
        if clock is not None:
            self._figures.set("clock_offset_ms", round(clock.offset_us / 1e3, 3))
            self._figures.set("clock_uncertainty_ms", round(clock.uncertainty_us / 1e3, 3))
        newest = self._newest
        if sent is None or newest is None or newest.info is None:
            return
        ticks = (sent.rtp_timestamp - newest.unit.rtp_timestamp) % RTP_MODULUS
        ticks -= RTP_MODULUS if ticks >= RTP_MODULUS // 2 else 0
        sender_us = sent.unix_us - newest.captured_us - ticks * 1_000_000 // RTP_CLOCK_HZ
        self._sender_us = sender_us if 0 <= sender_us < SENDER_MAX_US else None

    def decoding(self, stamped: Stamped, now_us: int) -> None:
        """Decoding of this access unit begins."""
        self._newest = stamped
        if stamped.unit.received_us:
            waited_us = max(0, now_us - stamped.unit.received_us)
            self._figures.observe("jitter_buffer_ms", waited_us / 1e3)

    def shown(self, passage: Passage) -> int:
        """A live picture goes to the sinks; its latency in us, on one clock."""
        offset_us = 0 if self._clock is None else self._clock.offset_us
        latency_us = passage.shown_us - passage.captured_us - offset_us
        self.taken(passage)
        to_here_us = latency_us - (passage.restored_us - passage.arrived_us)
        sender_us = self._sender_us
        if sender_us is not None:
            self._figures.observe("sender_ms", sender_us / 1e3)
            self._figures.observe("path_ms", max(0, to_here_us - sender_us) / 1e3)
        return latency_us

    def taken(self, passage: Passage) -> None:
        """Its wait in the buffer."""
        if passage.decoded_us:
            waited_us = max(0, passage.taken_us - passage.decoded_us)
            self._figures.observe("wait_ms", waited_us / 1e3)
