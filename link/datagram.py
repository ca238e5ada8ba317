"""What a datagram at the media port is, and whether the ICE peer really sent it.

One UDP port carries STUN, DTLS, SRTP and SRTCP, told apart by their first byte (RFC 7983,
section 7). STUN messages of the peer are signed with a password from the SDP exchange (RFC 8445,
section 7.2.2; RFC 8489, section 14.5).
"""

import hmac
import struct
from enum import Enum

STUN_HEADER_BYTES = 20
STUN_COOKIE = b"\x21\x12\xa4\x42"
_STUN_ATTRIBUTE_HEADER_BYTES = 4
_MESSAGE_INTEGRITY = 0x0008
_MESSAGE_INTEGRITY_BYTES = 20
# Nothing else may follow MESSAGE-INTEGRITY: it would not be signed (RFC 8489, section 14.5).
_MAY_FOLLOW = (0x8028, 0x001C)  # FINGERPRINT, MESSAGE-INTEGRITY-SHA256
_CLASS_MASK = 0x0110
_CLASS_REQUEST = 0x0000
_DTLS_RECORD_HEADER_BYTES = 13
_RTP_HEADER_BYTES = 12


class DatagramKind(Enum):
    """What a datagram on the media port seems to be."""

    STUN_REQUEST = "STUN request"
    STUN_ANSWER = "STUN answer"  # success, error or indication
    DTLS = "DTLS"
    MEDIA = "SRTP or SRTCP"
    GARBAGE = "garbage"  # empty, cut off, or of no protocol that belongs here


def datagram_kind(data: bytes) -> DatagramKind:
    """Which protocol a datagram belongs to, from its first bytes and its length."""
    first = data[0] if data else 255
    if first < 4 and _is_stun(data):
        kind = struct.unpack_from("!H", data)[0] & _CLASS_MASK
        return DatagramKind.STUN_REQUEST if kind == _CLASS_REQUEST else DatagramKind.STUN_ANSWER
    if 20 <= first < 64 and len(data) >= _DTLS_RECORD_HEADER_BYTES:
        return DatagramKind.DTLS
    if 128 <= first < 192 and len(data) >= _RTP_HEADER_BYTES:
        return DatagramKind.MEDIA
    return DatagramKind.GARBAGE


def _is_stun(data: bytes) -> bool:
    return (
        len(data) >= STUN_HEADER_BYTES
        and data[4:8] == STUN_COOKIE
        and struct.unpack_from("!H", data, 2)[0] == len(data) - STUN_HEADER_BYTES
    )


def stun_transaction_id(data: bytes) -> bytes:
    """Transaction id of a STUN message, 12 bytes."""
    return data[8:STUN_HEADER_BYTES]


def stun_is_signed(data: bytes, password: bytes) -> bool:
    """Whether a STUN message carries a right MESSAGE-INTEGRITY for this ICE password."""
    position = STUN_HEADER_BYTES
    signed = False
    while position + _STUN_ATTRIBUTE_HEADER_BYTES <= len(data):
        kind, size = struct.unpack_from("!HH", data, position)
        body = position + _STUN_ATTRIBUTE_HEADER_BYTES
        if signed and kind not in _MAY_FOLLOW:
            return False
        if kind == _MESSAGE_INTEGRITY:
            signature = data[body : body + size]
            if not hmac.compare_digest(signature, _signature(data[:position], password)):
                return False
            signed = True
        position = body + (size + 3 & ~3)
    return signed


def _signature(signed_part: bytes, password: bytes) -> bytes:
    """HMAC-SHA1 with the length field set as if the message ended with this attribute."""
    attribute_bytes = _STUN_ATTRIBUTE_HEADER_BYTES + _MESSAGE_INTEGRITY_BYTES
    length = len(signed_part) - STUN_HEADER_BYTES + attribute_bytes
    message = signed_part[:2] + struct.pack("!H", length) + signed_part[4:]
    return hmac.digest(password, message, "sha1")
