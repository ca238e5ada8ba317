"""HEVCDecoderConfigurationRecord: what the header of a file says of its H.265 stream.

ISO/IEC 14496-15, section 8.3.2. libavformat makes one too, but parses all of the sequence parameter
set for it, and can be kept busy for minutes by a malformed one; here only its fixed beginning is
read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from link.nal import NAL_HEADER_BYTES, NalType, nal_type, split_annexb, unescape_rbsp

PARAMETER_SETS = (NalType.VPS, NalType.SPS, NalType.PPS)
_PROFILE_AT = 3  # of an SPS without emulation prevention: NAL header, ids and sub-layers before it
_NAL_MAX_BYTES = 0xFFFF
_PROFILE_BYTES = 12  # general_profile_space to general_level_idc
_UNKNOWN_SEGMENTATION, _UNKNOWN_PARALLELISM = 0xF000, 0xFC
_CHROMA_420, _BITS_8 = 0xFD, 0xF8  # with the reserved bits in front
_LENGTHS_OF_4_BYTES = 0x03  # of NAL units in the file, less one
_LAYERS_AT, _LAYERS_SHIFT = 2, 2  # sub-layers less one and their nesting: the low four bits there


def configuration(access_unit: bytes) -> bytes | None:
    """The record of a stream that begins with this access unit (Annex B, Main profile, 8 bit);
    None when a parameter set is missing in it, cut off, or longer than a record can say."""
    found: dict[int, list[bytes]] = {kind: [] for kind in PARAMETER_SETS}
    for nal in split_annexb(access_unit):
        if len(nal) >= NAL_HEADER_BYTES and nal_type(nal) in found:
            found[nal_type(nal)].append(nal)
    longest = max((len(nal) for nals in found.values() for nal in nals), default=0)
    if not all(found.values()) or longest > _NAL_MAX_BYTES:
        return None
    sps = unescape_rbsp(found[NalType.SPS][0])
    profile = sps[_PROFILE_AT : _PROFILE_AT + _PROFILE_BYTES]
    if len(profile) < _PROFILE_BYTES:
        return None
    layers = (sps[_LAYERS_AT] & 0x0F) + 2 & 0x0F  # one more sub-layer, the nesting flag kept
    head = struct.pack(
        ">B12sHBBBBHBB",
        1,
        profile,
        _UNKNOWN_SEGMENTATION,
        _UNKNOWN_PARALLELISM,
        _CHROMA_420,
        _BITS_8,
        _BITS_8,
        0,  # frame rate: unknown
        layers << _LAYERS_SHIFT | _LENGTHS_OF_4_BYTES,
        len(found),
    )
    return head + b"".join(_array(kind, nals) for kind, nals in found.items())


def with_lengths(access_unit: bytes) -> bytes:
    """An access unit as it stands in a file with such a header: lengths instead of start codes."""
    return b"".join(_with_length(">I", nal) for nal in split_annexb(access_unit))


def _array(kind: int, nals: Sequence[bytes]) -> bytes:
    return struct.pack(">BH", kind, len(nals)) + b"".join(_with_length(">H", nal) for nal in nals)


def _with_length(form: str, nal: bytes) -> bytes:
    return struct.pack(form, len(nal)) + nal
