"""What is inside the stream: side information, codebook, guide, access units."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import av
import numpy as np

from daemon.figures import Figures
from engines.codebook import Codebook
from engines.frame import Planes
from engines.guide import Guide
from link.access_unit import AccessUnit
from link.errors import SideInfoError
from link.nal import NalType, escape_rbsp, is_irap, join_annexb, split_annexb
from link.side_info import SIDE_INFO_UUID, find_side_info, insert_side_info, pack, parse
from link.unit_queue import UnitQueue
from tests.fuzz.frames import split_frames
from tests.fuzz.loop import quiet
from tests.fuzz.target import SEQUENCE_LIMIT_MS, Form, Run, Target, plain
from viewer.decoder import StreamDecoder
from viewer.picture import Decoded
from viewer.timeline import Timeline

IRAP, GAP, SIDE_INFO, CHECKSUM = 1, 2, 4, 8  # flags of a frame that is an access unit
_TICKS = 3600
_SLICE = b"\0\0\1\x26\x01\x80slice"
_NOW_US = 1_700_000_000_000_000


def _side_info(data: bytes) -> None:
    """As an access unit, as the payload, and as the payload with a right CRC-32 behind it."""
    find_side_info(split_annexb(data))
    for payload in (data, data + struct.pack(">I", zlib.crc32(data))):
        try:
            info = parse(payload)
        except SideInfoError:
            continue
        assert parse(pack(info)) == info
        inserted = insert_side_info(_SLICE, info)
        assert find_side_info(split_annexb(inserted)) == info


def _codebook(data: bytes) -> None:
    codebook = Codebook.from_bytes(data)
    assert Codebook.from_bytes(codebook.to_bytes()) == codebook
    every = np.arange(256, dtype=np.uint8)
    for channel in range(3):
        levels = codebook.expand(channel, every)
        codebook.compress(channel, levels)


def _guide(data: bytes) -> None:
    guide = Guide.from_bytes(data)
    assert all(np.isfinite(guide.values))
    assert Guide.from_bytes(guide.to_bytes()) == guide


def units(data: bytes) -> list[AccessUnit]:
    """Access units of frames: raw, or the body of a side information SEI in front of a slice."""
    found = []
    for number, (flags, body) in enumerate(split_frames(data)):
        if flags & SIDE_INFO:
            body = join_annexb([_sei(body, checked=bool(flags & CHECKSUM)), _SLICE[3:]])
        irap = bool(flags & IRAP) or any(is_irap(nal) for nal in split_annexb(body))
        gap = bool(flags & GAP)
        found.append(AccessUnit(body, number * _TICKS * (flags >> 4) % 2**32, irap, 0, gap))
    return found


def _sei(body: bytes, *, checked: bool) -> bytes:
    payload = SIDE_INFO_UUID + body + (struct.pack(">I", zlib.crc32(body)) if checked else b"")
    size = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    return bytes([NalType.PREFIX_SEI << 1, 1]) + escape_rbsp(b"\5" + size + payload + b"\x80")


def decode(data: bytes) -> list[Decoded]:
    """What the viewer does with access units, up to the pictures that go to the network."""
    timeline, queue, figures = Timeline(), UnitQueue(), Figures()
    decoder = StreamDecoder(lambda: None, figures, lambda: 0)
    pictures: list[Decoded] = []
    for sequence, arrived in enumerate(units(data)):
        queue.put(arrived)
        while (unit := queue.pop()) is not None:
            stamped, _ = timeline.stamp(unit, sequence, len(unit.data), _NOW_US)
            pictures += decoder.decode(stamped)
    figures.snapshot()
    return pictures


def _decode(data: bytes) -> None:
    decode(data)


class _NoCarrier:
    """In place of libavcodec: every access unit decodes to the same picture."""

    planes = Planes(*(np.zeros(size, np.uint8) for size in ((48, 64), (24, 32), (24, 32))))

    def decode(self, data: bytes, number: int) -> list[tuple[int, Planes]]:
        return [(number, self.planes)]


@contextmanager
def _viewer() -> Iterator[Run]:
    with quiet(), patch("viewer.decoder.CarrierDecoder", _NoCarrier):
        yield _decode


@contextmanager
def _hevc() -> Iterator[Run]:
    av.logging.set_level(None)  # else millions of lines
    with quiet():
        yield _decode


TARGETS = (
    Target("side_info", plain(_side_info), (SideInfoError,), 20_000),
    Target("codebook", plain(_codebook), (ValueError,), 5_000, max_bytes=1100),
    Target("guide", plain(_guide), (ValueError,), 40_000, max_bytes=64),
    Target("viewer", _viewer, (), 2_000, Form.FRAMES, max_bytes=8192, limit_ms=SEQUENCE_LIMIT_MS),
    Target("hevc", _hevc, (), 400, Form.FRAMES, max_bytes=16_384, limit_ms=SEQUENCE_LIMIT_MS),
)
