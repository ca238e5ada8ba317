"""Datagrams told apart (RFC 7983) and STUN signatures (RFC 8489)."""

import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from link.datagram import DatagramKind, datagram_kind, stun_is_signed, stun_transaction_id

PASSWORD = b"a password of twenty-two chars"


def request(*, signed: bool = True) -> tuple[stun.Message, bytes]:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = "left:right"
    message.attributes["PRIORITY"] = 1234
    if signed:
        message.add_message_integrity(PASSWORD)
    return message, bytes(message)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", DatagramKind.GARBAGE),
        (b"\0", DatagramKind.GARBAGE),
        (bytes(20), DatagramKind.GARBAGE),  # no cookie
        (request()[1], DatagramKind.STUN_REQUEST),
        (request()[1][:-1], DatagramKind.GARBAGE),
        (request()[1] + b"\0", DatagramKind.GARBAGE),
        (b"\x01\x01" + request()[1][2:], DatagramKind.STUN_ANSWER),
        (b"\x01\x11" + request()[1][2:], DatagramKind.STUN_ANSWER),
        (b"\x00\x11" + request()[1][2:], DatagramKind.STUN_ANSWER),
        (b"\x16\xfe\xfd" + bytes(10), DatagramKind.DTLS),
        (b"\x16\xfe\xfd" + bytes(9), DatagramKind.GARBAGE),
        (b"\x80\x60" + bytes(10), DatagramKind.MEDIA),
        (b"\x80\x60" + bytes(9), DatagramKind.GARBAGE),
        (b"\x40" + bytes(30), DatagramKind.GARBAGE),  # TURN channel data
        (b"\xff" * 30, DatagramKind.GARBAGE),
    ],
)
def test_the_first_bytes_tell_the_protocol(data: bytes, kind: DatagramKind) -> None:
    assert datagram_kind(data) is kind


def test_a_signed_message_is_known_by_its_password() -> None:
    message, data = request()
    assert stun_is_signed(data, PASSWORD)
    assert stun_transaction_id(data) == message.transaction_id
    assert not stun_is_signed(data, b"another password of any length")
    assert not stun_is_signed(request(signed=False)[1], PASSWORD)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_in_front_of_the_signature_is_believed(place: int, flip: int) -> None:
    data = bytearray(request()[1])
    end = len(data) - 8  # FINGERPRINT, which is not part of it
    data[place % end] ^= flip
    in_length = place % end in (2, 3)  # not signed as it stands; datagram_kind checks it
    assert in_length or not stun_is_signed(bytes(data), PASSWORD)


def test_what_follows_the_signature_is_not_believed() -> None:
    message, _ = request(signed=False)
    message.add_message_integrity(PASSWORD)
    use_candidate = struct.pack("!HH", 0x0025, 0)
    data = bytes(message) + use_candidate
    assert not stun_is_signed(data, PASSWORD)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    datagram_kind(data)
    assert not stun_is_signed(data, PASSWORD)
