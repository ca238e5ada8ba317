"""Writing offer and answer of one H.265 stream: the other half of `link.sdp`."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import RTCRtpCodecParameters
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription, SsrcDescription

from link.fec import FEC_FORMAT
from link.header_extensions import extensions
from link.sdp import (
    CLOCK_RATE_HZ,
    NETWORKS_ATTRIBUTE,
    PeerDescription,
    TransportParameters,
    VideoParameters,
)

OFFER_PAYLOAD_TYPE = 96
OFFER_RTX_PAYLOAD_TYPE = 97
OFFER_FEC_PAYLOAD_TYPE = 98
OFFER_TRANSPORT_CC_ID = 3
OFFER_SEND_TIME_ID = 4
_FEEDBACK = (("nack", None), ("nack", "pli"), ("ccm", "fir"))
_TRANSPORT_CC, _REMB = ("transport-cc", None), ("goog-remb", None)
_SENDER_FEEDBACK = (*_FEEDBACK, _REMB, _TRANSPORT_CC)
_DISCARD_PORT = 9  # the addresses stand in the candidates (RFC 8829, section 5.2.1)


@dataclass(frozen=True)
class Ssrcs:
    """Sources of the sender (RFC 5576)."""

    media: int
    rtx: int
    cname: str
    fec: int = 0


def make_offer(
    transport: TransportParameters, ssrcs: Ssrcs, network_ids: Sequence[bytes]
) -> tuple[str, VideoParameters]:
    """SDP text of our own send-only offer, and what it says."""
    video = VideoParameters(
        mid="0",
        payload_type=OFFER_PAYLOAD_TYPE,
        rtx_payload_type=OFFER_RTX_PAYLOAD_TYPE,
        nack=True,
        pli=True,
        fir=True,
        network_ids=tuple(network_ids),
        transport_cc_id=OFFER_TRANSPORT_CC_ID,
        fec_payload_type=OFFER_FEC_PAYLOAD_TYPE if ssrcs.fec else None,
    )
    media = _video_section(transport, video, "sendonly")
    media.rtp.codecs[0].rtcpFeedback = [RTCRtcpFeedback(*item) for item in _SENDER_FEEDBACK]
    # the time of sending is for who knows no transport-wide feedback
    media.rtp.headerExtensions = extensions(video.transport_cc_id, OFFER_SEND_TIME_ID)
    media.msid = f"{ssrcs.cname} {ssrcs.cname}"
    sources = [ssrcs.media, ssrcs.rtx]
    media.ssrc_group = [GroupDescription("FID", [*sources])]
    if ssrcs.fec:
        sources.append(ssrcs.fec)
        media.ssrc_group.append(GroupDescription("FEC-FR", [ssrcs.media, ssrcs.fec]))
    media.ssrc = [SsrcDescription(ssrc, cname=ssrcs.cname) for ssrc in sources]
    text = _header(transport, video.mid) + _section_text(media, network_ids)
    return text, video


def make_answer(
    offer: PeerDescription, transport: TransportParameters, network_ids: Sequence[bytes]
) -> str:
    """SDP text of our receive-only answer: the video section taken, every other one rejected."""
    text = _header(transport, offer.video.mid)
    for index, theirs in enumerate(offer.session.media):
        if index == offer.section:
            ours = _video_section(transport, offer.video, "recvonly")
            text += _section_text(ours, network_ids)
        else:
            text += _rejected(theirs)
    return text


def _header(transport: TransportParameters, mid: str) -> str:
    session = SessionDescription()
    session_id = int.from_bytes((transport.ice.usernameFragment or "").encode()[:7], "big")
    session.origin = f"- {session_id} 1 IN IP4 127.0.0.1"
    session.group = [GroupDescription("BUNDLE", [mid])]
    return str(session)


def _video_section(
    transport: TransportParameters, video: VideoParameters, direction: str
) -> MediaDescription:
    media = MediaDescription("video", _DISCARD_PORT, "UDP/TLS/RTP/SAVPF", [])
    media.host = media.rtcp_host = "0.0.0.0"
    media.rtcp_port = _DISCARD_PORT
    media.rtcp_mux = True
    media.direction = direction
    media.rtp.muxId = video.mid
    media.rtp.codecs = _codecs(video)
    media.rtp.headerExtensions = extensions(video.transport_cc_id, video.send_time_id)
    media.fmt = [codec.payloadType for codec in media.rtp.codecs]
    media.ice = transport.ice
    media.dtls = transport.dtls
    media.ice_candidates = list(transport.candidates)
    media.ice_candidates_complete = True
    return media


def _codecs(video: VideoParameters) -> list[RTCRtpCodecParameters]:
    wanted = {
        ("nack", None): video.nack,
        ("nack", "pli"): video.pli,
        ("ccm", "fir"): video.fir,
        _TRANSPORT_CC: video.transport_cc_id is not None,
        _REMB: video.send_time_id is not None,
    }
    h265 = RTCRtpCodecParameters("video/H265", CLOCK_RATE_HZ, payloadType=video.payload_type)
    h265.parameters = dict(video.format_parameters)
    h265.rtcpFeedback = [RTCRtcpFeedback(*item) for item, agreed in wanted.items() if agreed]
    codecs = [h265]
    if video.rtx_payload_type is not None:
        rtx = RTCRtpCodecParameters("video/rtx", CLOCK_RATE_HZ, payloadType=video.rtx_payload_type)
        rtx.parameters = {"apt": video.payload_type}
        codecs.append(rtx)
    if video.fec_payload_type is not None:
        name = f"video/{FEC_FORMAT}"
        fec = RTCRtpCodecParameters(name, CLOCK_RATE_HZ, payloadType=video.fec_payload_type)
        codecs.append(fec)
    return codecs


def _section_text(media: MediaDescription, network_ids: Sequence[bytes]) -> str:
    text = str(media)
    if network_ids:
        text += NETWORKS_ATTRIBUTE + ",".join(item.hex() for item in network_ids) + "\r\n"
    return text


def _rejected(theirs: MediaDescription) -> str:
    """Answer to a section that is not taken: port 0 (RFC 3264, section 6)."""
    formats = " ".join(map(str, theirs.fmt))
    mid = f"a=mid:{theirs.rtp.muxId}\r\n" if theirs.rtp.muxId else ""
    return (
        f"m={theirs.kind} 0 {theirs.profile} {formats}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n{mid}"
    )
