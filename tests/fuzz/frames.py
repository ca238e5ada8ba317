"""Several datagrams in one input, so that a byte string can drive what has state.

{ flags(8) length(16) body }...     the last body may be cut off
"""

import struct
from collections.abc import Iterable

_HEADER = struct.Struct(">BH")
MAX_FRAMES = 32
Frame = tuple[int, bytes]  # flags (the target says what they mean), body


def split_frames(data: bytes) -> list[Frame]:
    """The frames of any bytes, at most MAX_FRAMES."""
    frames: list[Frame] = []
    position = 0
    while position + _HEADER.size <= len(data) and len(frames) < MAX_FRAMES:
        flags, size = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        frames.append((flags, data[position : position + size]))
        position += size
    return frames


def join_frames(frames: Iterable[Frame]) -> bytes:
    """The inverse of `split_frames`."""
    return b"".join(_HEADER.pack(flags & 0xFF, len(body)) + body for flags, body in frames)
