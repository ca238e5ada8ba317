"""Offers and answers: ours, Chrome's, GStreamer's, and what is none."""

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aiortc import RTCDtlsFingerprint, RTCDtlsParameters, RTCIceCandidate, RTCIceParameters

from link.sdp import (
    MAX_LINES,
    NoH265Error,
    SdpError,
    TransportParameters,
    parse_answer,
    parse_candidates,
    parse_offer,
)
from link.sdp_text import Ssrcs, make_answer, make_offer

NETWORKS = (bytes(range(8)), bytes(range(8, 16)))
SSRCS = Ssrcs(1111, 2222, "cname")
FINGERPRINT = ":".join(["AB"] * 32)


def transport(role: str = "auto") -> TransportParameters:
    candidate = RTCIceCandidate(1, "f", "127.0.0.1", 5000, 1, "udp", "host")
    return TransportParameters(
        RTCIceParameters("user", "p" * 22),
        RTCDtlsParameters([RTCDtlsFingerprint("sha-256", FINGERPRINT)], role),
        (candidate,),
    )


def described(name: str) -> str:
    """What a real peer sent, as recorded (docs/peers.md)."""
    return (Path(__file__).parent / "descriptions" / f"{name}.sdp").read_bytes().decode()


@pytest.mark.parametrize(
    ("name", "mid", "nack", "parameters"),
    [
        ("offer-gstreamer-1.22", "video0", False, ()),
        ("offer-simple-whip-client", "video0", False, ()),
        ("offer-libdatachannel-0.33", "video", True, ()),
    ],
)
def test_real_peers_offers_are_answered_in_their_terms(
    name: str, mid: str, nack: bool, parameters: tuple[tuple[str, str], ...]
) -> None:
    offer = parse_offer(described(name))
    video = offer.video
    assert (video.mid, video.nack, video.format_parameters) == (mid, nack, parameters)
    assert (video.pli, video.payload_type, video.rtx_payload_type) == (True, 96, None)
    answer = make_answer(offer, transport("client"), NETWORKS)
    for line in (f"a=mid:{mid}", f"a=group:BUNDLE {mid}", "a=setup:active", "a=recvonly"):
        assert line in answer.split("\r\n")
    assert "sprop" not in answer
    assert parse_answer(answer, video).transport.dtls.role == "client"


def test_gstreamers_answer_is_taken_with_transport_feedback_that_has_no_number() -> None:
    _, offered = make_offer(transport(), SSRCS, NETWORKS)
    answer = parse_answer(described("answer-gstreamer-1.22"), offered)
    assert (answer.transport.dtls.role, answer.video.transport_cc_id) == ("client", None)
    assert (answer.video.pli, answer.video.nack, answer.video.network_ids) == (True, False, ())


CHROME = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 49 51 50
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1467250027 1 udp 2122260223 0f1a4c3d-8b2a-4a01-9e0d-0f5f6a7b8c9d.local 46243 typ host
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:1
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:51 H265/90000
a=rtcp-fb:51 nack pli
a=fmtp:51 level-id=93;profile-id=2;tier-flag=0;tx-mode=SRST
a=rtpmap:49 H265/90000
a=rtcp-fb:49 goog-remb
a=rtcp-fb:49 transport-cc
a=rtcp-fb:49 ccm fir
a=rtcp-fb:49 nack
a=rtcp-fb:49 nack pli
a=fmtp:49 level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST
a=rtpmap:50 rtx/90000
a=fmtp:50 apt=49
a=ssrc-group:FID 2231627014 632943048
a=ssrc:2231627014 cname:4TOk42mSjXCkVIa6
"""

GSTREAMER = f"""v=0
o=- 7303265128034126853 0 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-options:trickle
a=group:BUNDLE video0
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=setup:actpass
a=ice-ufrag:8eGqpKKdQS9VbRJJ2QUFV2J3AUqy6kgX
a=ice-pwd:sgMmqBGgnn9mUhpHWI4Fdc2WyHIvmeEx
a=rtcp-mux
a=rtcp-rsize
a=sendonly
a=rtpmap:96 H265/90000
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=fmtp:96 profile-id=1; tier-flag=0; sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwBdlZgJ
a=mid:video0
a=fingerprint:sha-256 {FINGERPRINT}
"""


def test_our_offer_and_answer_are_understood_by_each_other() -> None:
    text, offered = make_offer(transport(), SSRCS, NETWORKS)
    offer = parse_offer(text)
    assert offer.video == offered
    assert offer.video.network_ids == NETWORKS
    assert offer.transport.ice.usernameFragment == "user"
    assert [item.port for item in offer.transport.candidates] == [5000]
    answer = parse_answer(make_answer(offer, transport("client"), NETWORKS[:1]), offered)
    assert answer.video.network_ids == NETWORKS[:1]
    assert answer.video.rtx_payload_type == 97
    assert answer.video.nack
    assert answer.transport.dtls.role == "client"


def test_a_peer_without_transport_feedback_gets_and_gives_remb() -> None:
    text, offered = make_offer(transport(), SSRCS, NETWORKS)
    older = "\r\n".join(line for line in text.splitlines() if "transport-" not in line) + "\r\n"
    offer = parse_offer(older)
    assert (offer.video.transport_cc_id, offer.video.send_time_id) == (None, 4)
    answer = make_answer(offer, transport("client"), NETWORKS)
    assert "a=rtcp-fb:96 goog-remb" in answer
    agreed = parse_answer(answer, offered).video
    assert (agreed.transport_cc_id, agreed.send_time_id) == (None, 4)
    silent = older.replace("a=rtcp-fb:96 goog-remb\r\n", "")
    assert parse_offer(silent).video.send_time_id is None
    assert "abs-send-time" not in make_answer(parse_offer(text), transport("client"), NETWORKS)


def test_chromes_offer_is_taken_at_its_payload_type_and_its_audio_rejected() -> None:
    offer = parse_offer(CHROME)
    assert (offer.video.payload_type, offer.video.rtx_payload_type) == (49, 50)
    assert (offer.video.nack, offer.video.pli, offer.video.fir) == (True, True, True)
    assert offer.video.network_ids == ()
    answer = make_answer(offer, transport("client"), NETWORKS)
    audio, video = answer.split("m=")[1:]
    assert audio.startswith("audio 0 UDP/TLS/RTP/SAVPF 111\r\n")
    assert video.startswith("video 9 UDP/TLS/RTP/SAVPF 49 50\r\n")
    assert "a=group:BUNDLE 1\r\n" in answer
    assert "a=mid:1\r\n" in video
    assert "a=recvonly\r\n" in video
    assert "a=fmtp:50 apt=49\r\n" in video
    assert "level-id=180" in video
    assert "goog-remb" not in video  # transport-wide feedback is better
    assert "a=rtcp-fb:49 transport-cc\r\n" in video


def test_gstreamers_offer_without_rtx_nack_and_candidates_is_taken() -> None:
    offer = parse_offer(GSTREAMER)
    assert (offer.video.payload_type, offer.video.rtx_payload_type) == (96, None)
    assert (offer.video.nack, offer.video.pli) == (False, True)
    assert offer.transport.candidates == ()
    assert "nack\r\n" not in make_answer(offer, transport("client"), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("H265", "H264"), "H264"),
        (("profile-id=1;", "profile-id=2;"), "H265"),
        (("tier-flag=0;", "tx-mode=MRMT;"), "H265"),
        (("tier-flag=0;", "sprop-max-don-diff=2;"), "H265"),
        (("a=sendonly", "a=recvonly"), "no video"),
        (("m=video 9", "m=video 0"), "no video"),
        (("96", "66"), "H265"),  # payload types that RTCP needs
    ],
)
def test_an_offer_without_our_h265_is_refused_with_what_it_has(
    change: tuple[str, str], message: str
) -> None:
    with pytest.raises(NoH265Error, match=message):
        parse_offer(GSTREAMER.replace(*change))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0",
        "hello",
        "m=video",
        GSTREAMER.replace("a=ice-pwd", "a=ice-nothing"),
        GSTREAMER.replace("a=ice-ufrag:8eGqpKKdQS9VbRJJ2QUFV2J3AUqy6kgX", "a=ice-ufrag:x"),
        GSTREAMER.replace("a=fingerprint", "a=thumbprint"),
        GSTREAMER.replace("a=setup:actpass", "a=setup:holdconn"),
        GSTREAMER.replace("a=rtcp-mux", "a=rtcp-demux"),
        GSTREAMER.replace("SAVPF 96", "SAVPF 72"),
        GSTREAMER.replace("a=fmtp:96", "a=fmtp:99"),
        GSTREAMER + "a=rtpmap:96 H265/90000\r\n",
        GSTREAMER + "a=candidate:1 1 udp\r\n",
        GSTREAMER + "m=audio 9 UDP/TLS/RTP/SAVPF \t\r\n",
        GSTREAMER + "a=nothing\r\n" * MAX_LINES,
        "x" * 70_000,
    ],
)
def test_what_is_no_webrtc_sdp_is_refused(text: str) -> None:
    with pytest.raises(SdpError):
        parse_offer(text)


def test_an_answer_that_takes_another_format_is_refused() -> None:
    _, offered = make_offer(transport(), SSRCS, NETWORKS)
    with pytest.raises(NoH265Error):
        parse_answer(make_answer(parse_offer(CHROME), transport("client"), ()), offered)


def test_a_damaged_list_of_networks_counts_as_far_as_it_is_sound() -> None:
    text, _ = make_offer(transport(), SSRCS, NETWORKS)
    assert parse_offer(text.replace(NETWORKS[0].hex(), "xyz")).video.network_ids == NETWORKS[1:]


def test_a_trickle_fragment_gives_its_candidates() -> None:
    fragment = (
        "a=ice-ufrag:user\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1 1 udp 9 1.2.3.4 5 typ host\r\n"
    )
    name, candidates = parse_candidates(fragment)
    assert name == "user"
    assert [(item.ip, item.port) for item in candidates] == [("1.2.3.4", 5)]
    with pytest.raises(SdpError):
        parse_candidates("a=candidate:1 one udp 9 1.2.3.4 5 typ host")


def test_mutated_offers_raise_declared_errors_alone_and_quickly() -> None:
    seed = 11
    rng = random.Random(seed)
    for number in range(1500):
        text = list(rng.choice([CHROME, GSTREAMER, make_offer(transport(), SSRCS, NETWORKS)[0]]))
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 12)] = rng.choice(
                ["", "9" * 30, "\n", ":", " ", ";", "=", "-1", "é", "\0", "a=rtpmap:96 "]
            )
        begin = time.perf_counter()
        try:
            make_answer(parse_offer("".join(text)), transport("client"), NETWORKS)
        except (SdpError, NoH265Error):
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}, offer {number}: {''.join(text)!r}") from error
        assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize(
    "lines",
    [
        "a=rtcp-fb:* nack\r\na=rtpmap:{n} H265/90000\r\n",
        "a=ssrc:{n} cname:x\r\n",
        "a=candidate:{n} 1 udp 1 1.2.3.4 5 typ host\r\n",
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        "a=fingerprint:sha-256 AB\r\n",
    ],
)
def test_hostile_repetition_is_bounded(lines: str) -> None:
    text = GSTREAMER + "".join(lines.format(n=n) for n in range(100, 2000))[:60_000]
    begin = time.perf_counter()
    with suppress(SdpError):
        parse_offer(text)
    assert time.perf_counter() - begin < 0.5


def test_feedback_for_all_formats_does_not_multiply() -> None:
    """800 such lines with 124 formats made 100,000 objects, 9 MB, of 16 kB."""
    formats = "".join(f"a=rtpmap:{number} H265/90000\n" for number in range(1, 125))
    section = "m=video 9 UDP/TLS/RTP/SAVPF 96\n" + formats + "a=rtcp-fb:* nack\n" * 700
    with pytest.raises(SdpError, match="feedback"):
        parse_offer(CHROME + section)
    assert parse_offer(CHROME + "a=rtcp-fb:* nack\n" * 16).video.nack


def test_error_correction_is_agreed_on_only_with_who_speaks_it() -> None:
    text, offered = make_offer(transport(), Ssrcs(1111, 2222, "cname", 5555), NETWORKS)
    assert "a=rtpmap:98 x-denc-fec/90000" in text
    assert "a=ssrc-group:FEC-FR 1111 5555" in text
    offer = parse_offer(text)
    assert offer.video.fec_payload_type == offered.fec_payload_type == 98
    answer = make_answer(offer, transport("client"), NETWORKS)
    assert parse_answer(answer, offered).video.fec_payload_type == 98
    stock = "\r\n".join(line for line in answer.splitlines() if "x-denc-fec" not in line)
    assert parse_answer(stock + "\r\n", offered).video.fec_payload_type is None
    other = answer.replace("a=rtpmap:98 ", "a=rtpmap:99 ").replace(" 98\r\n", " 99\r\n")
    assert parse_answer(other, offered).video.fec_payload_type is None
    assert parse_offer(make_offer(transport(), SSRCS, NETWORKS)[0]).video.fec_payload_type is None
