"""Side information of a stream: what the viewer must know to restore it, as an H.265 SEI message.

A prefix SEI `user_data_unregistered` (ITU-T H.265, D.2.7) under a UUID of our own. Behind the UUID,
big endian:

    version(8)=2
    scale(3) | bits-4(3) | has codebook(1) | has network(1)
    source width(16)  source height(16)
    QP in quarter steps(8)  frame rate in mHz(24)
    frame number(32)  capture time, us of Unix time(64)
    network id(64), when there is one
    guide length(8)  guide: so many bytes
    codebook, when there is one: all up to the CRC
    CRC-32 of everything before it(32)

Every version begins with its number, so an older viewer can tell that it is too old.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from link.errors import SideInfoError, WireError
from link.nal import (
    NAL_HEADER_BYTES,
    NalType,
    escape_rbsp,
    is_parameter_set,
    join_annexb,
    nal_type,
    split_annexb,
    unescape_rbsp,
)

VERSION = 2
SIDE_INFO_UUID = UUID("a3d5c7e1-8b42-4f6e-9d1c-5e7f2b94d863").bytes
NETWORK_ID_BYTES = 8
NO_NETWORK = bytes(NETWORK_ID_BYTES)
CODEBOOK_MAX_BYTES = 1024
GUIDE_MAX_BYTES = 255
MIN_SOURCE_SIZE, MAX_SOURCE_SIZE = 64, 8192
MAX_QP = 51
MAX_FPS = 0xFFFFFF / 1000

_USER_DATA_UNREGISTERED = 5
_SEI_HEADER = bytes([NalType.PREFIX_SEI << 1, 1])
_RBSP_TRAILING = b"\x80"
_FIELDS = struct.Struct(">BBHHIIQ")  # the frame rate's 24 bits share a word with the QP's 8
_CRC = struct.Struct(">I")
_LENGTH_BYTES = 1
SIDE_INFO_MIN_BYTES = _FIELDS.size + _LENGTH_BYTES + _CRC.size
SIDE_INFO_MAX_BYTES = SIDE_INFO_MIN_BYTES + NETWORK_ID_BYTES + GUIDE_MAX_BYTES + CODEBOOK_MAX_BYTES
# What of an access unit is searched: a peer may send megabytes of SEI, two bytes a message.
SEI_MAX_BYTES = 4096  # of one NAL unit; ours takes half of it at most
SEI_MAX_UNITS = 16


@dataclass(frozen=True)
class SideInfo:
    """What one access unit says about itself and those after it. Checked when made.

    Raises SideInfoError when a value is out of the range given here.
    """

    source_width: int  # 64..8192
    source_height: int  # 64..8192
    scale: int  # 1..4, linear, latent picture to source
    bits: int  # 4..8 of the latent's quantizer
    qp: float  # 0..51 of the carrier, travels in quarter steps
    network_id: bytes  # 8 bytes of the encoder network's SHA-256; NO_NETWORK: plain downscale
    frame_number: int  # 32 bits
    captured_us: int  # 64 bits, Unix time of this access unit's capture
    fps: float  # > 0, travels in mHz
    codebook: bytes | None = None  # 1..1024 opaque bytes; None: as before
    guide: bytes | None = None  # 1..255 opaque bytes for the restorer; None: as before

    def __post_init__(self) -> None:
        _check("source width", self.source_width, MIN_SOURCE_SIZE, MAX_SOURCE_SIZE)
        _check("source height", self.source_height, MIN_SOURCE_SIZE, MAX_SOURCE_SIZE)
        _check("scale", self.scale, 1, 4)
        _check("bits", self.bits, 4, 8)
        _check("QP", self.qp, 0, MAX_QP)
        _check("network id length", len(self.network_id), NETWORK_ID_BYTES, NETWORK_ID_BYTES)
        _check("frame number", self.frame_number, 0, 2**32 - 1)
        _check("capture time", self.captured_us, 0, 2**64 - 1)
        _check("frame rate", self.fps, 0.001, MAX_FPS)
        if self.codebook is not None:
            _check("codebook length", len(self.codebook), 1, CODEBOOK_MAX_BYTES)
        if self.guide is not None:
            _check("guide length", len(self.guide), 1, GUIDE_MAX_BYTES)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SideInfoError(f"side information: {name} {value} is not in {low}..{high}")


def pack(info: SideInfo) -> bytes:
    """The payload of the SEI message behind its UUID: 27 to 35 bytes, guide and codebook beside."""
    network = b"" if info.network_id == NO_NETWORK else info.network_id
    flags = info.scale << 5 | (info.bits - 4) << 2
    flags |= (info.codebook is not None) << 1 | bool(network)
    fields = _FIELDS.pack(
        VERSION,
        flags,
        info.source_width,
        info.source_height,
        round(info.qp * 4) << 24 | round(info.fps * 1000),
        info.frame_number,
        info.captured_us,
    )
    guide = info.guide or b""
    body = fields + network + bytes([len(guide)]) + guide + (info.codebook or b"")
    return body + _CRC.pack(zlib.crc32(body))


def parse(data: bytes) -> SideInfo:
    """The inverse of `pack`. Raises SideInfoError for anything that `pack` does not write."""
    if not data:
        raise SideInfoError("side information is empty")
    if data[0] > VERSION:
        raise SideInfoError(
            f"side information has version {data[0]}, newer than {VERSION}: update this viewer"
        )
    if data[0] != VERSION:
        raise SideInfoError(f"side information has no version {data[0]}")
    if not SIDE_INFO_MIN_BYTES <= len(data) <= SIDE_INFO_MAX_BYTES:
        raise SideInfoError(f"side information of {len(data)} bytes")
    body, crc = data[: -_CRC.size], data[-_CRC.size :]
    if _CRC.pack(zlib.crc32(body)) != crc:
        raise SideInfoError("side information is damaged: its CRC-32 does not match")
    return _parse_body(body)


def _parse_body(body: bytes) -> SideInfo:
    _, flags, width, height, qp_fps, number, captured_us = _FIELDS.unpack_from(body)
    network_bytes = NETWORK_ID_BYTES if flags & 1 else 0
    network = body[_FIELDS.size : _FIELDS.size + network_bytes]
    rest = body[_FIELDS.size + network_bytes :]
    guide_bytes = rest[0] if rest else 0
    guide, codebook = rest[1 : 1 + guide_bytes], rest[1 + guide_bytes :]
    if (
        network == NO_NETWORK
        or not rest
        or len(guide) != guide_bytes
        or bool(codebook) != bool(flags & 2)
    ):
        raise SideInfoError(f"side information of {len(body)} bytes contradicts its flags")
    return SideInfo(
        source_width=width,
        source_height=height,
        scale=flags >> 5,
        bits=(flags >> 2 & 7) + 4,
        qp=(qp_fps >> 24) / 4,
        network_id=network or NO_NETWORK,
        frame_number=number,
        captured_us=captured_us,
        fps=(qp_fps & 0xFFFFFF) / 1000,
        codebook=codebook or None,
        guide=guide or None,
    )


def side_info_nal(info: SideInfo) -> bytes:
    """The prefix SEI NAL unit: below 64 bytes without guide and codebook."""
    payload = SIDE_INFO_UUID + pack(info)
    size = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    message = bytes([_USER_DATA_UNREGISTERED]) + size + payload
    return _SEI_HEADER + escape_rbsp(message + _RBSP_TRAILING)


def insert_side_info(access_unit: bytes, info: SideInfo) -> bytes:
    """The access unit (Annex B) with its side information behind AUD and parameter sets.

    Raises WireError when there is no NAL unit in it.
    """
    nals = split_annexb(access_unit)
    if not nals:
        raise WireError("access unit without NAL units")
    position = 0
    while position < len(nals) and _stands_before_sei(nals[position]):
        position += 1
    return join_annexb([*nals[:position], side_info_nal(info), *nals[position:]])


def _stands_before_sei(nal: bytes) -> bool:
    return is_parameter_set(nal) or nal_type(nal) == NalType.AUD


def find_side_info(nals: Sequence[bytes]) -> SideInfo | None:
    """The side information among the NAL units of an access unit; None when there is none.

    SEI of others, damaged or not, is passed over. Raises SideInfoError when ours is damaged.
    """
    for nal in islice(filter(_may_hold_side_info, nals), SEI_MAX_UNITS):
        for kind, payload, whole in _sei_messages(unescape_rbsp(nal[NAL_HEADER_BYTES:])):
            if kind != _USER_DATA_UNREGISTERED or not payload.startswith(SIDE_INFO_UUID):
                continue
            if not whole:
                raise SideInfoError("side information is cut off")
            return parse(payload[len(SIDE_INFO_UUID) :])
    return None


def _may_hold_side_info(nal: bytes) -> bool:
    whole = NAL_HEADER_BYTES <= len(nal) <= SEI_MAX_BYTES
    return whole and nal_type(nal) == NalType.PREFIX_SEI


def _sei_messages(rbsp: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Type, payload and whether it is whole, of each message (ITU-T H.265, 7.3.5)."""
    position = 0
    while position < len(rbsp) - 1:  # the last byte is rbsp_trailing_bits
        kind, position = _sei_number(rbsp, position)
        size, position = _sei_number(rbsp, position)
        yield kind, rbsp[position : position + size], position + size < len(rbsp)
        position += size


def _sei_number(rbsp: bytes, position: int) -> tuple[int, int]:
    """A number coded as 0xFF bytes and a last byte; and where the next field begins."""
    start = position
    while position < len(rbsp) and rbsp[position] == 0xFF:
        position += 1
    last = rbsp[position] if position < len(rbsp) else 0
    return 255 * (position - start) + last, position + 1
