"""Writes the seeds that denc makes itself: `python -m fuzz.make_corpus` (see docs/fuzzing.md).

Files named `own-*` come from here, with whatever x265 is installed; `found-*` are inputs that once
broke a promise; all others were written by hand.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from aioice import stun
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtpPacket,
    pack_remb_fci,
)

from daemon.stream_file import StreamFile
from engines.carrier import CarrierEncoder
from engines.codebook import Codebook
from engines.frame import Planes
from engines.guide import Guide
from engines.weight_store import WEIGHTS_FOLDER
from fuzz.corpus import CORPUS
from fuzz.doubles import PASSWORD, USER_NAME, SilentTransport, parameters
from fuzz.frames import join_frames
from fuzz.loop import event_loop, turns
from fuzz.on.media import CHECKSUM, IRAP, SIDE_INFO
from fuzz.on.signalling import NETWORKS
from fuzz.on.wire import SSRCS, VIDEO
from link import reports
from link.access_unit import AccessUnit
from link.history import rtx_payload
from link.nal import split_annexb
from link.payload import packetize
from link.sdp import parse_offer
from link.sdp_text import make_answer, make_offer
from link.sender import MediaSender
from link.side_info import SideInfo, insert_side_info, pack, side_info_nal

WIDTH, HEIGHT, FPS, PICTURES = 128, 96, 25, 4
NOW_US = 1_700_000_000_000_000
TICKS = 90_000 // FPS
Seeds = Mapping[str, bytes]
GUIDE = Guide(b"\x12\x34", 0.5, tuple(range(-8, 8))).to_bytes()
INFO = SideInfo(WIDTH * 2, HEIGHT * 2, 2, 8, 30.25, b"networks", 7, NOW_US, float(FPS))


@cache
def codebook() -> Codebook:
    """A made-up codebook of 4 bits."""
    levels = np.linspace(3, 250, 16).round().astype(np.float32)
    return Codebook(4, (levels, levels + 0.25, levels - 0.5))


def side_infos() -> dict[str, SideInfo]:
    """One of each kind."""
    return {
        "own-short": INFO,
        "own-guide": replace(INFO, guide=GUIDE),
        "own-codebook": replace(INFO, bits=4, codebook=codebook().to_bytes()),
        "own-all": replace(INFO, bits=4, codebook=codebook().to_bytes(), guide=GUIDE),
    }


@cache
def access_units() -> tuple[AccessUnit, ...]:
    """A moving pattern through our carrier, with side information."""
    carrier = CarrierEncoder(
        WIDTH, HEIGHT, FPS, qp=32, preset="ultrafast", keyframe_interval=3, threads=1
    )
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    grain = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH))
    units = []
    for number in range(PICTURES):
        waves = 60 * np.sin((columns + 5 * number) / 17) + 40 * np.cos(rows / 11)
        y = (128 + waves + grain).astype(np.uint8)
        half = np.full((HEIGHT // 2, WIDTH // 2), 110 + number, np.uint8)
        for made in carrier.encode(Planes(y, half, half), number):
            info = replace(INFO, frame_number=number, guide=GUIDE if made.irap else None)
            units.append(AccessUnit(insert_side_info(made.data, info), number * TICKS, made.irap))
    carrier.close()
    return tuple(units)


def packets(max_payload_bytes: int) -> list[RtpPacket]:
    """The units as RTP."""
    made: list[RtpPacket] = []
    for unit in access_units():
        payloads = packetize(split_annexb(unit.data), max_payload_bytes)
        for at, payload in enumerate(payloads):
            number = (65_534 + len(made)) & 0xFFFF
            marker = int(at == len(payloads) - 1)
            made.append(RtpPacket(96, marker, number, unit.rtp_timestamp, SSRCS.media, payload))
    return made


@cache
def sent() -> tuple[bytes, ...]:
    """What a MediaSender really sends of the units: RTP, reports and a goodbye."""

    async def send() -> list[bytes]:
        silent = SilentTransport()

        async def closed(reason: str) -> None:
            pass

        sender = MediaSender(
            silent.as_transport(), VIDEO, SSRCS, on_irap_request=lambda: None, on_closed=closed
        )
        sender._sequence = 65_534
        sender.start()
        for unit in access_units():
            sender.send(unit)
            await turns(20)
        await sender.close()
        return silent.sent

    with event_loop() as loop, patch("link.sender._unix_us", lambda: NOW_US):
        return tuple(loop.run(send()))


def rtcp() -> dict[str, bytes]:
    """Compound packets of a receiver."""
    report = RtcpReceiverInfo(SSRCS.media, 64, 10, 65_536, 90, reports.ntp_middle(1 << 40), 655)
    fir = SSRCS.media.to_bytes(4, "big") + b"\1\0\0\0"
    lists = {
        "own-report": [RtcpRrPacket(3333, [report])],
        "own-nack": reports.nacks(3333, SSRCS.media, [1, 2, 3, 65_534, 65_535]),
        "own-pli": [reports.pli(3333, SSRCS.media)],
        "own-fir": [RtcpPsfbPacket(RTCP_PSFB_FIR, 3333, 0, fir)],
        "own-remb": [RtcpPsfbPacket(RTCP_PSFB_APP, 3333, 0, pack_remb_fci(250_000, [1111]))],
        "own-pli-other": [RtcpPsfbPacket(RTCP_PSFB_PLI, 3333, 4444)],
        "own-bye": [reports.bye([3333])],
    }
    return {name: reports.compound(3333, "c", items) for name, items in lists.items()}


def rtx() -> list[bytes]:
    """Retransmissions of the first packets."""
    again = [
        replace_payload(packet, rtx_payload(packet.sequence_number, packet.payload))
        for packet in packets(400)[:3]
    ]
    return [packet.serialize() for packet in again]


def replace_payload(packet: RtpPacket, payload: bytes) -> RtpPacket:
    """The packet as it goes over the RTX stream."""
    return RtpPacket(97, packet.marker, 5, packet.timestamp, SSRCS.rtx, payload)


def datagrams() -> Seeds:
    """STUN of a peer; what is signed by the target itself, without header; and other protocols."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction0")
    request.attributes = {
        "USERNAME": f"{USER_NAME}:{USER_NAME}",
        "PRIORITY": 1_853_824_767,
        "ICE-CONTROLLING": 1,
        "USE-CANDIDATE": None,
    }
    bare = bytes(request)
    request.add_message_integrity(PASSWORD.encode())
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, b"transaction0")
    answer.attributes = {"XOR-MAPPED-ADDRESS": ("127.0.0.1", 5000)}
    error = stun.Message(stun.Method.BINDING, stun.Class.ERROR, b"transaction0")
    error.attributes = {"ERROR-CODE": (487, "Role Conflict")}
    seeds = {
        "own-request": bytes(request),
        "own-attributes": bare[:2] + bare[20:],
        "own-answer-attributes": bytes(answer)[:2] + bytes(answer)[20:],
        "own-error-attributes": bytes(error)[:2] + bytes(error)[20:],
        "own-dtls": bytes.fromhex("16feff0000000000000000002a") + b"\1" + bytes(41),
        "own-rtp": packets(1200)[0].serialize(),
        "empty": b"",
    }
    answer.add_message_integrity(PASSWORD.encode())
    return seeds | {"own-answer": bytes(answer)}


def offers() -> Seeds:
    return {"own-offer": make_offer(parameters(), SSRCS, NETWORKS)[0].encode()}


def answers() -> Seeds:
    offer = parse_offer(make_offer(parameters(), SSRCS, NETWORKS)[0])
    return {"own-answer": make_answer(offer, parameters("client"), NETWORKS).encode()}


def http(offer: bytes, answer: bytes) -> dict[str, Seeds]:
    """Requests to the WHIP server and the page, and a server's answers to a client."""
    bearer = "Authorization: Bearer secret\r\n"
    head = "POST /whip HTTP/1.1\r\nHost: v\r\n" + bearer + "Content-Type: application/sdp\r\n"
    patch_ = (
        "PATCH /whip/abc HTTP/1.1\r\nHost: v\r\n" + bearer + 'If-Match: "user"\r\n'
        "Content-Type: application/trickle-ice-sdpfrag\r\nContent-Length: 17\r\n\r\n"
        "a=ice-ufrag:user\n"
    )
    size = f"Content-Length: {len(offer)}\r\n\r\n".encode()
    chunk = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(offer) + offer + b"\r\n0\r\n\r\n"
    simple = {
        "own-options": "OPTIONS /whip HTTP/1.1\r\nHost: v\r\nOrigin: http://a\r\n\r\n",
        "own-delete": f"DELETE /whip/abc HTTP/1.1\r\nHost: v\r\n{bearer}\r\n",
        "own-patch": patch_,
        "own-get": "GET /whip HTTP/1.0\r\n\r\n",
    }
    pages = {
        f"own-{number}": f"GET {path} HTTP/1.1\r\nHost: v\r\n{headers}\r\n"
        for number, (path, headers) in enumerate(
            (
                ("/", bearer),
                ("/?token=secret", ""),
                ("/figures.json", "Cookie: denc-token=secret\r\n"),
                ("/metrics", bearer + "Accept-Encoding: gzip\r\n"),
                ("/snapshot.png", bearer),
                ("/page/page.js", bearer + 'Range: bytes=0-10\r\nIf-None-Match: "a"\r\n'),
                (
                    "/page/../web.py",
                    bearer + 'If-Range: "a"\r\n',
                ),
            )
        )
    }
    ok = b"HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /whip/abc\r\n"
    return {
        "whip_http": {name: text.encode() for name, text in simple.items()}
        | {"own-post": head.encode() + size + offer, "own-chunked": head.encode() + chunk},
        "page": {name: text.encode() for name, text in pages.items()},
        "whip_client": {
            "own-created": ok + b"Content-Length: %d\r\n\r\n" % len(answer) + answer,
            "own-refused": b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno",
            "own-redirect": b"HTTP/1.1 307 R\r\nLocation: http://127.0.0.1/x\r\n\r\n",
        },
    }


def bodies() -> dict[str, bytes]:
    """Side information without its CRC-32; that of version 1 had no guide."""
    made = {name: pack(info)[:-4] for name, info in side_infos().items()}
    fields = struct.Struct(">BBHHIIQ")
    flags = 2 << 5 | 4 << 2 | 1
    old = fields.pack(1, flags, 256, 192, 121 << 24 | 25_000, 7, NOW_US) + b"networks"
    return made | {"own-version-1": old, "own-version-3": b"\3" + made["own-all"][1:]}


def viewer_frames() -> Seeds:
    """Access units for the viewer, flags as in `fuzz.on.media`."""
    units = [(16 | unit.irap * IRAP, unit.data) for unit in access_units()]
    forged = [(16 | IRAP | SIDE_INFO | CHECKSUM, body) for body in bodies().values()]
    return {"own-units": join_frames(units), "own-forged": join_frames(forged)}


def stream_file() -> bytes:
    """What `--output` writes."""
    with TemporaryDirectory() as folder:
        file = StreamFile(Path(folder, "s.mkv"))
        for unit in access_units():
            file.write(unit, NOW_US + unit.rtp_timestamp * 1_000_000 // 90_000)
        file.close()
        return file.path.read_bytes()


def weights() -> bytes:
    """The manifest of the installed weights, only what is needed to read it."""
    document = json.loads((WEIGHTS_FOLDER / "manifest.json").read_text())
    keep = ("graphs", "fit_graphs", "codebooks", "partner", "weights")
    document["networks"] = {
        name: {key: value for key, value in network.items() if key in keep}
        for name, network in document["networks"].items()
    }
    return json.dumps(document, indent=1).encode()


def safetensors_file() -> bytes:
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(12)


def framed(bodies: Iterable[bytes], flags: int = 1) -> bytes:
    return join_frames((flags, body) for body in bodies)


def corpora() -> dict[str, Seeds]:
    """All seeds by target."""
    offer, answer = offers()["own-offer"], answers()["own-answer"]
    whole, small = packets(1200), packets(200)
    feedback = rtcp()
    stream = [packet.serialize() for packet in packets(400)]
    seis = {name: b"\0\0\1" + side_info_nal(info) for name, info in side_infos().items()}
    root = Path(__file__).parents[2] / "configs"
    return {
        "datagram": datagrams(),
        "depayload": {
            "own-whole": framed(p.payload for p in whole),
            "own-fragments": framed(p.payload for p in small[:40]),
        },
        "jitter": {
            "own-stream": framed(stream),
            "own-loss": framed(stream[:3] + stream[5:]),
            "own-order": framed(reversed(stream)),
            "own-late": framed([*stream[:2], *stream[3:8], stream[2]], flags=40),
        },
        "rtx": {f"own-{at}": packet for at, packet in enumerate(rtx())},
        "receiver": {
            "own-sent": framed(sent()),
            "own-repaired": framed([stream[0], *stream[3:], *rtx()]),
        },
        "sender": {"own-all": framed(feedback.values())}
        | {name: framed([data]) for name, data in feedback.items()},
        "offer": offers(),
        "answer": answers(),
        "trickle": {
            "own-one": b"a=ice-ufrag:user\r\na=ice-pwd:" + PASSWORD.encode() + b"\r\n"
            b"m=video 9 RTP/AVP 0\r\na=mid:0\r\n"
            b"a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\na=end-of-candidates\r\n"
        },
        "whip_body": {"own-offer": offer},
        "side_info": seis | {f"{name}-body": body for name, body in bodies().items()},
        "codebook": {"own-4": codebook().to_bytes(), "own-8": Codebook.uniform(8).to_bytes()},
        "guide": {"own": GUIDE},
        "viewer": viewer_frames(),
        "hevc": {"own-units": viewer_frames()["own-units"]},
        "record": {"own-units": viewer_frames()["own-units"]},
        "config": {f"own-{p.stem}": p.read_bytes()[:4096] for p in sorted(root.glob("*.yaml"))},
        "manifest": {},
        "weights": {"own": weights()},
        "safetensors": {"own": safetensors_file()},
        "stream": {"own": stream_file()},
        **http(offer, answer),
    }


def main() -> None:
    for target, seeds in corpora().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("own*"):
            old.unlink()
        for name, data in seeds.items():
            (folder / name).write_bytes(data)
        print(f"{target:12} {len(seeds):3} seeds {sum(map(len, seeds.values())):7} bytes")


if __name__ == "__main__":
    main()
