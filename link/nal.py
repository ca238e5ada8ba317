"""NAL units of H.265: Annex B byte stream in and out, header fields, emulation prevention.

A NAL unit is `bytes` without its start code, its two header bytes included (ITU-T H.265, 7.3.1.2):

    |F| type(6) | layer id (6) | temporal id + 1 (3) |
"""

import re
from collections.abc import Iterable
from enum import IntEnum

from link.errors import WireError

NAL_HEADER_BYTES = 2
START_CODE = b"\0\0\0\1"
_SHORT_START_CODE = b"\0\0\1"
_LAST_VCL_TYPE = 31
_NEEDS_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_ESCAPED = re.compile(rb"\x00\x00\x03")


class NalType(IntEnum):
    """The types this package speaks of (ITU-T H.265, table 7-1; 48 to 50: RFC 7798, 4.4)."""

    TRAIL_N = 0
    TRAIL_R = 1
    BLA_W_LP = 16
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    RSV_IRAP_VCL23 = 23
    VPS = 32
    SPS = 33
    PPS = 34
    AUD = 35
    PREFIX_SEI = 39
    SUFFIX_SEI = 40
    AGGREGATION_PACKET = 48
    FRAGMENTATION_UNIT = 49
    PACI = 50


def nal_type(nal: bytes) -> int:
    """Type of a NAL unit, 0..63. Raises WireError when its header is not whole."""
    if len(nal) < NAL_HEADER_BYTES:
        raise WireError(f"NAL unit of {len(nal)} bytes has no header")
    return nal[0] >> 1 & 0x3F


def is_slice(nal: bytes) -> bool:
    """Whether this is a VCL NAL unit: a part of the picture itself."""
    return nal_type(nal) <= _LAST_VCL_TYPE


def is_irap(nal: bytes) -> bool:
    """Whether this is a slice of an intra random access point picture (types 16 to 23)."""
    return NalType.BLA_W_LP <= nal_type(nal) <= NalType.RSV_IRAP_VCL23


def is_parameter_set(nal: bytes) -> bool:
    """Whether this is a VPS, SPS or PPS."""
    return NalType.VPS <= nal_type(nal) <= NalType.PPS


def first_slice(nal: bytes) -> bool:
    """Whether this is the first slice of its picture (first_slice_segment_in_pic_flag)."""
    return is_slice(nal) and len(nal) > NAL_HEADER_BYTES and nal[NAL_HEADER_BYTES] >= 0x80


def split_annexb(data: bytes) -> list[bytes]:
    """NAL units of an Annex B byte stream, start codes and zero padding removed (annex B.2).

    Bytes in front of the first start code and units without a whole header are left out, so the
    list is empty for anything that is not Annex B.
    """
    nals = []
    start = data.find(_SHORT_START_CODE)
    while start >= 0:
        start += len(_SHORT_START_CODE)
        end = data.find(_SHORT_START_CODE, start)
        nal = data[start : end if end >= 0 else len(data)].rstrip(b"\0")
        if len(nal) >= NAL_HEADER_BYTES:
            nals.append(nal)
        start = end
    return nals


def join_annexb(nals: Iterable[bytes]) -> bytes:
    """Annex B byte stream of NAL units, each behind a start code of four bytes."""
    return b"".join(START_CODE + nal for nal in nals)


def escape_rbsp(rbsp: bytes) -> bytes:
    """Puts emulation prevention bytes in (ITU-T H.265, 7.4.2.1): no start code inside a unit."""
    return _NEEDS_ESCAPE.sub(b"\x00\x00\x03", rbsp)


def unescape_rbsp(data: bytes) -> bytes:
    """Takes emulation prevention bytes out: the inverse of `escape_rbsp`."""
    return _ESCAPED.sub(b"\x00\x00", data)
