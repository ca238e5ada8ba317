"""Writes the seeds that denc makes itself: `python -m tests.fuzz.make_corpus`.

Files named `own-*` come from here, with whatever x265 is installed; `found-*` are inputs that once
broke a promise; all others were written by hand.
"""

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from daemon.stream_file import StreamFile
from engines.codebook import Codebook
from engines.weight_store import WEIGHTS_FOLDER
from link.sdp import parse_offer
from link.sdp_text import make_answer, make_offer
from link.side_info import pack, side_info_nal
from tests.fuzz.corpus import CORPUS
from tests.fuzz.doubles import PASSWORD, parameters
from tests.fuzz.frames import join_frames
from tests.fuzz.made_stream import (
    GUIDE,
    NOW_US,
    Seeds,
    access_units,
    codebook,
    datagrams,
    packets,
    repairs,
    rtcp,
    rtx,
    sent,
    side_infos,
    timed,
)
from tests.fuzz.on.media import CHECKSUM, IRAP, SIDE_INFO
from tests.fuzz.on.signalling import NETWORKS
from tests.fuzz.on.wire import SSRCS

# SegmentUID, TrackUID, TagTrackUID, CRC-32 of Matroska, each with its length; bytes behind it
_RANDOM_ELEMENTS = (
    (b"\x73\xa4\x90", 16),
    (b"\x73\xc5\x88", 8),
    (b"\x63\xc5\x88", 8),
    (b"\xbf\x84", 4),
)


def offers() -> Seeds:
    text = make_offer(parameters(), SSRCS, NETWORKS)[0]
    remb = "".join(line for line in text.splitlines(keepends=True) if "transport-" not in line)
    return {"own-offer": text.encode(), "own-remb": remb.encode()}


def answers() -> Seeds:
    return {
        name.replace("offer", "answer"): make_answer(
            parse_offer(text.decode()), parameters("client"), NETWORKS
        ).encode()
        for name, text in offers().items()
    }


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
    """Access units for the viewer, flags as in `tests.fuzz.on.media`."""
    units = [(16 | unit.irap * IRAP, unit.data) for unit in access_units()]
    forged = [(16 | IRAP | SIDE_INFO | CHECKSUM, body) for body in bodies().values()]
    return {"own-units": join_frames(units), "own-forged": join_frames(forged)}


def stream_file() -> bytes:
    """What `--output` writes; its random UIDs, and the CRC-32s over them, made zero."""
    with TemporaryDirectory() as folder:
        file = StreamFile(Path(folder, "s.mkv"))
        for unit in access_units():
            file.write(unit, NOW_US + unit.rtp_timestamp * 1_000_000 // 90_000)
        file.close()
        data = file.path.read_bytes()
    for element, size in _RANDOM_ELEMENTS:
        data = re.sub(re.escape(element) + b".{%d}" % size, element + bytes(size), data, flags=re.S)
    return data


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
    begun = 1 + [bool(packet.marker) for packet in packets(400)].index(True)  # with a whole picture
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
            "own-repairs-alone": framed([*stream[:begun], *repairs(begun) * 4], flags=200),
        },
        "fec": {
            "own-one-lost": framed([*stream[1:6], *repairs()]),
            "own-three-lost": framed([*stream[3:6], *repairs(), stream[0]]),
        },
        "rtx": {f"own-{at}": packet for at, packet in enumerate(rtx())},
        "receiver": {
            "own-sent": framed(sent()),
            "own-timed": framed(timed(), flags=20),
            "own-repaired": framed([stream[0], *stream[3:], *rtx()]),
            "own-restored": framed([*stream[2:6], *repairs()]),
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
