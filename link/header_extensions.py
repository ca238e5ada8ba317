"""RTP header extensions (RFC 8285) that congestion control needs: a number, or the time of sending.

With transport-wide feedback (`link.twcc`) packets are numbered and nothing else; a receiver that
speaks only REMB (`link.remb`) wants to know when each packet left.
"""

from __future__ import annotations

from aiortc import RTCRtpHeaderExtensionParameters
from aiortc.rtcrtpparameters import RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap

TRANSPORT_CC_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
SEND_TIME_FRACTION_BITS = 18
_SEND_TIME_MASK = (1 << 24) - 1


def send_time(now_us: int) -> int:
    """abs-send-time: 24 bits, of which 18 are of a second; it wraps every 64 s."""
    return (now_us << SEND_TIME_FRACTION_BITS) // 1_000_000 & _SEND_TIME_MASK


def extensions(
    transport_cc_id: int | None, send_time_id: int | None
) -> list[RTCRtpHeaderExtensionParameters]:
    """Those that have an id, as SDP lists them."""
    ids = ((TRANSPORT_CC_URI, transport_cc_id), (SEND_TIME_URI, send_time_id))
    return [RTCRtpHeaderExtensionParameters(id=i, uri=uri) for uri, i in ids if i is not None]


def extension_map(transport_cc_id: int | None, send_time_id: int | None) -> HeaderExtensionsMap:
    """For RtpPacket: with the header extensions at the ids that both ends agreed on, if any."""
    known = HeaderExtensionsMap()
    known.configure(RTCRtpParameters(headerExtensions=extensions(transport_cc_id, send_time_id)))
    return known
