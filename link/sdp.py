"""What an offer or answer says of one H.265 stream (RFC 8866, RFC 3264; RFC 7798, section 7).

Codec rules of draft-ietf-avtcore-hevc-webrtc: parameter sets travel in-band alone, a format
matches on profile-id, tier-flag and tx-mode, level-id is not compared. A private attribute lists
the networks that an end has, so that both agree before the first frame:

    a=x-denc-networks:0011223344556677,8899aabbccddeeff

Foreign offers may use any dynamic payload type (96-127, and 35-63 as Chrome does) and may carry
further sections (audio): those are answered as rejected. `link.sdp_text` writes what is read here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiortc import RTCDtlsParameters, RTCIceCandidate, RTCIceParameters, RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from link.errors import LinkError, WireError
from link.fec import FEC_FORMAT
from link.header_extensions import SEND_TIME_URI, TRANSPORT_CC_URI

SDP_MAX_BYTES = 64 * 1024
NETWORK_ID_BYTES = 8
MAX_NETWORKS = 16
MAX_CANDIDATES = 64
MAX_LINES = 1024
MAX_FORMATS = 128  # of one section
MAX_FEEDBACK_FOR_ALL = 16  # `a=rtcp-fb:*` lines of one section: each is kept once a format
CLOCK_RATE_HZ = 90_000
H265_PARAMETERS = {"level-id": "93", "profile-id": "1", "tier-flag": "0", "tx-mode": "SRST"}
NETWORKS_ATTRIBUTE = "a=x-denc-networks:"
_SENDS = ("sendonly", "sendrecv", None)  # no attribute means sendrecv (RFC 3264, section 5.1)
_RECEIVES = ("recvonly", "sendrecv", None)
_PAYLOAD_TYPES = (*range(35, 64), *range(96, 128))
_EXTENSION_IDS = range(1, 15)  # of one-byte headers (RFC 8285, section 4.2)
_EXTENSION_LINE = re.compile(
    rf"a=extmap:\d{{1,3}}(/\w+)? ({re.escape(TRANSPORT_CC_URI)}|{re.escape(SEND_TIME_URI)})"
)
# What aiortc's parser lets out for malformed text.
_PARSER_ERRORS = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    StopIteration,
    TypeError,
    ValueError,
)


class SdpError(WireError):
    """The text is not SDP, or not SDP of a WebRTC session."""


class NoH265Error(LinkError):
    """The text is sound, and the peer does not offer (or take) what denc speaks."""


@dataclass(frozen=True)
class TransportParameters:
    """How one end is reached: ICE (RFC 8839) and DTLS (RFC 8842)."""

    ice: RTCIceParameters
    dtls: RTCDtlsParameters  # role: "auto" (actpass), "client" (active), "server" (passive)
    candidates: tuple[RTCIceCandidate, ...]


@dataclass(frozen=True)
class VideoParameters:
    """The H.265 stream as one end describes it."""

    mid: str
    payload_type: int
    rtx_payload_type: int | None  # RFC 4588; None: lost packets are sent again as they were
    nack: bool
    pli: bool
    fir: bool
    network_ids: tuple[bytes, ...]
    format_parameters: tuple[tuple[str, str], ...] = tuple(H265_PARAMETERS.items())
    transport_cc_id: int | None = None  # header extension of transport-wide feedback, both agreed
    send_time_id: int | None = None  # header extension for REMB, both agreed; without transport_cc
    fec_payload_type: int | None = None  # of repair packets (link.fec); None: there are none


@dataclass(frozen=True)
class PeerDescription:
    """The peer's offer or answer, as far as denc is concerned."""

    transport: TransportParameters
    video: VideoParameters
    session: SessionDescription
    section: int  # index of the video section among the `m=` lines


def parse_offer(text: str) -> PeerDescription:
    """The sending peer's offer.

    Raises SdpError for text that is not WebRTC SDP, NoH265Error (with a sentence for the user)
    for an offer without H.265 that we could receive.
    """
    return _parse(text, _SENDS, "offer")


def parse_answer(text: str, offered: VideoParameters) -> PeerDescription:
    """The receiving peer's answer to `link.sdp_text.make_offer`. Raises SdpError, NoH265Error."""
    answer = _parse(text, _RECEIVES, "answer")
    if answer.video.payload_type != offered.payload_type:
        raise NoH265Error("The answer takes another format than the H.265 that was offered")
    fec = answer.video.fec_payload_type
    if fec not in (None, offered.fec_payload_type):
        answer = replace(answer, video=replace(answer.video, fec_payload_type=None))
    return answer


def parse_candidates(fragment: str) -> tuple[str | None, list[RTCIceCandidate]]:
    """ICE user name and candidates of a trickle fragment (RFC 8840). Raises SdpError."""
    lines = _checked_lines(fragment)
    names = [line.split(":", 1)[1] for line in lines if line.startswith("a=ice-ufrag:")]
    candidates = [line.split(":", 1)[1] for line in lines if line.startswith("a=candidate:")]
    try:
        found = [candidate_from_sdp(line) for line in candidates[:MAX_CANDIDATES]]
    except _PARSER_ERRORS as error:
        raise SdpError(f"A candidate does not parse: {error}") from error
    return (names[0] if names else None), found


def is_usable(candidate: RTCIceCandidate) -> bool:
    """Whether checks can be sent there: UDP at an IP address."""
    return (
        candidate.protocol.lower() == "udp"
        and candidate.component == 1
        and 0 < candidate.port < 1 << 16
        and not candidate.ip.endswith(".local")
    )


def _parse(text: str, directions: tuple[str | None, ...], what: str) -> PeerDescription:
    lines = _checked_lines(text)
    try:
        session = SessionDescription.parse("\r\n".join(lines) + "\r\n")
    except _PARSER_ERRORS as error:
        raise SdpError(f"The {what} is not SDP: {type(error).__name__} {error}".strip()) from error
    if not session.media:
        raise SdpError(f"The {what} has no media section")
    if not all(media.fmt for media in session.media):
        raise SdpError(f"A media section of the {what} has no format")  # RFC 8866 section 5.14
    index, video = _find_video(session, directions, what)
    media = session.media[index]
    video = replace(video, network_ids=_network_ids(lines, index))
    return PeerDescription(_transport(media, what), video, session, index)


def _checked_lines(text: str) -> list[str]:
    """Lines without those that denc has no use for, their number bounded before any parsing."""
    if len(text) > SDP_MAX_BYTES:
        raise SdpError(f"SDP of more than {SDP_MAX_BYTES} bytes")
    unused = ("a=ssrc", "a=rid", "a=simulcast", "a=extmap")
    lines = [
        re.sub(r";[ \t]+", ";", line) if line.startswith("a=fmtp") else line
        for line in text.splitlines()
        if not line.startswith(unused) or _EXTENSION_LINE.fullmatch(line)
    ]
    if len(lines) > MAX_LINES:
        raise SdpError(f"SDP of more than {MAX_LINES} lines")
    formats: set[str] = set()
    for_all = 0
    for line in lines:
        if line.startswith("m="):
            formats.clear()
            for_all = 0
        elif line.startswith("a=rtcp-fb:*"):
            for_all += 1
            if for_all > MAX_FEEDBACK_FOR_ALL:
                raise SdpError("A section has too many kinds of feedback for all its formats")
        elif match := re.match(r"a=rtpmap:(\S+)", line):
            if match[1] in formats or len(formats) == MAX_FORMATS:
                raise SdpError("A section maps a payload type twice, or too many of them")
            formats.add(match[1])
    return lines


def _find_video(
    session: SessionDescription, directions: tuple[str | None, ...], what: str
) -> tuple[int, VideoParameters]:
    names: set[str] = set()
    for index, media in enumerate(session.media):
        if media.kind != "video" or media.port == 0 or media.direction not in directions:
            continue
        for codec in media.rtp.codecs:
            names.add(codec.name)
            if _is_ours(codec, media):
                return index, _video(codec, media)
    found = ", ".join(sorted(names)) or "no video in the needed direction"
    raise NoH265Error(
        f"The {what} has no H.265 Main profile video that denc speaks (it has: {found})"
    )


def _is_ours(codec: RTCRtpCodecParameters, media: MediaDescription) -> bool:
    parameters = codec.parameters
    return (
        codec.name.upper() == "H265"
        and codec.clockRate == CLOCK_RATE_HZ
        and codec.payloadType in _PAYLOAD_TYPES
        and codec.payloadType in media.fmt
        and str(parameters.get("profile-id", "1")) == "1"
        and str(parameters.get("tier-flag", "0")) == "0"
        and str(parameters.get("tx-mode", "SRST")).upper() == "SRST"
        and str(parameters.get("sprop-max-don-diff", "0")) == "0"
    )


def _video(codec: RTCRtpCodecParameters, media: MediaDescription) -> VideoParameters:
    feedback = {(item.type, item.parameter) for item in codec.rtcpFeedback}
    assert codec.payloadType is not None  # checked by _is_ours
    transport_cc_id = send_time_id = None
    if ("transport-cc", None) in feedback:
        transport_cc_id = _extension_id(TRANSPORT_CC_URI, media)
    if transport_cc_id is None and ("goog-remb", None) in feedback:
        send_time_id = _extension_id(SEND_TIME_URI, media)
    kept = [(key, str(codec.parameters[key])) for key in H265_PARAMETERS if key in codec.parameters]
    return VideoParameters(
        mid=media.rtp.muxId or "0",
        payload_type=codec.payloadType,
        rtx_payload_type=_rtx_payload_type(codec.payloadType, media),
        nack=("nack", None) in feedback,
        pli=("nack", "pli") in feedback,
        fir=("ccm", "fir") in feedback,
        network_ids=(),
        format_parameters=tuple(kept),
        transport_cc_id=transport_cc_id,
        send_time_id=send_time_id,
        fec_payload_type=_fec_payload_type(media),
    )


def _extension_id(uri: str, media: MediaDescription) -> int | None:
    for extension in media.rtp.headerExtensions:
        if extension.uri == uri and extension.id in _EXTENSION_IDS:
            return extension.id
    return None


def _rtx_payload_type(payload_type: int, media: MediaDescription) -> int | None:
    for codec in media.rtp.codecs:
        if codec.name.lower() == "rtx" and codec.parameters.get("apt") == payload_type:
            return codec.payloadType
    return None


def _fec_payload_type(media: MediaDescription) -> int | None:
    for codec in media.rtp.codecs:
        ours = codec.name.lower() == FEC_FORMAT and codec.clockRate == CLOCK_RATE_HZ
        if ours and codec.payloadType in _PAYLOAD_TYPES:
            return codec.payloadType
    return None


def _network_ids(lines: Sequence[str], section: int) -> tuple[bytes, ...]:
    """Network ids listed in a section; an unknown or damaged list counts as none."""
    current = -1
    for line in lines:
        current += line.startswith("m=")
        if current == section and line.startswith(NETWORKS_ATTRIBUTE):
            items = line[len(NETWORKS_ATTRIBUTE) :].strip().split(",")[:MAX_NETWORKS]
            size = 2 * NETWORK_ID_BYTES
            return tuple(
                bytes.fromhex(item)
                for item in items
                if re.fullmatch(f"[0-9a-fA-F]{{{size}}}", item)
            )
    return ()


def _transport(media: MediaDescription, what: str) -> TransportParameters:
    dtls, ice = media.dtls, media.ice
    lengths = (len(ice.usernameFragment or ""), len(ice.password or "")) if ice else (0, 0)
    if ice is None or not (4 <= lengths[0] <= 256 and 22 <= lengths[1] <= 256):
        raise SdpError(f"The {what} has no ICE user name and password (RFC 8839, section 5.4)")
    if dtls is None or not dtls.fingerprints:
        raise SdpError(f"The {what} has no DTLS fingerprint and setup role")
    if not media.rtcp_mux:
        raise SdpError(f"The {what} does not multiplex RTP and RTCP (a=rtcp-mux)")
    return TransportParameters(ice, dtls, tuple(media.ice_candidates[:MAX_CANDIDATES]))
