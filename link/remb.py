"""REMB: what the path takes as the receiver sees it, where there is no transport-wide feedback.

Google congestion control at the receiver (draft-ietf-rmcat-gcc-02, the older of its two ends;
draft-alvestrand-rmcat-remb-03 for the message), as aiortc has it: from when packets left
(`link.header_extensions`) and when they came.
"""

from __future__ import annotations

import struct

from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtpPacket, pack_remb_fci, unpack_remb_fci

OUTER_BYTES = 12 + 8 + 16 + 28  # RTP header and extension, SRTP tag, UDP and IPv4
SILENCE_US = 2_000_000  # then what is known of the path is old


class RembEstimator:
    """`add` every packet that tells when it left, `take` the REMB that is due, if one is."""

    def __init__(self) -> None:
        self._estimator = RemoteBitrateEstimator()
        self._newest_us: int | None = None
        self._due_bps: int | None = None

    def add(self, packet: RtpPacket, now_us: int) -> None:
        """A packet came; without a time of sending it tells nothing."""
        left = packet.extensions.abs_send_time
        if left is None:
            return
        if self._newest_us is not None and now_us - self._newest_us > SILENCE_US:
            self._estimator = RemoteBitrateEstimator()
        self._newest_us = now_us
        size = len(packet.payload) + OUTER_BYTES
        estimate = self._estimator.add(now_us // 1_000, left, size, 0)
        if estimate is not None:
            self._due_bps = estimate[0]

    def take(self, ssrc: int, media_ssrc: int) -> RtcpPsfbPacket | None:
        """The message to send from `ssrc`, once for each new estimate."""
        if self._due_bps is None:
            return None
        fci = pack_remb_fci(self._due_bps, [media_ssrc])
        self._due_bps = None
        return RtcpPsfbPacket(RTCP_PSFB_APP, ssrc, 0, fci)


def parse_remb(packet: RtcpPsfbPacket) -> int | None:
    """Bit/s of a REMB; None: the packet is some other feedback."""
    if packet.fmt != RTCP_PSFB_APP:
        return None
    try:
        bitrate_bps: int = unpack_remb_fci(packet.fci)[0]
    except (ValueError, struct.error):
        return None
    return bitrate_bps
