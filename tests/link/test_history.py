import pytest
from hypothesis import given
from hypothesis import strategies as st

from link.errors import WireError
from link.history import SendHistory, parse_rtx, rtx_payload
from link.packet import MediaPacket

SECOND = 1_000_000


def packet(sequence, size=100):
    return MediaPacket(sequence, 0, False, bytes(size))


@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=50))
def test_rtx_payload_comes_back(sequence, payload):
    assert parse_rtx(rtx_payload(sequence, payload)) == (sequence, payload)


def test_rtx_payload_is_the_original_sequence_number_and_payload():
    assert rtx_payload(0x1234, b"\x02\x01\xd0") == b"\x12\x34\x02\x01\xd0"


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1\2"])
def test_rtx_without_a_packet_is_a_wire_error(payload):
    with pytest.raises(WireError):
        parse_rtx(payload)


def test_a_packet_is_kept_for_a_second_at_least_and_then_forgotten():
    history = SendHistory()
    history.add(packet(1), 0)
    assert history.get(1, SECOND) == packet(1)
    assert history.get(1, 3 * SECOND) is None
    assert len(history) == history.payload_bytes == 0


def test_unknown_packets_are_not_there():
    assert SendHistory().get(7, 0) is None


def test_bytes_are_bounded_and_the_oldest_go_first():
    history = SendHistory(max_bytes=1000)
    for sequence in range(25):
        history.add(packet(sequence), sequence)
    assert len(history) == 10
    assert history.payload_bytes == 1000
    assert history.get(14, SECOND) is None
    assert history.get(15, SECOND) == packet(15)


def test_a_packet_larger_than_the_bound_is_not_kept():
    history = SendHistory(max_bytes=10)
    history.add(packet(1, size=11), 0)
    assert history.payload_bytes == len(history) == 0


def test_sequence_numbers_used_again_mean_the_newer_packet():
    history = SendHistory()
    history.add(packet(1, size=5), 0)
    history.add(packet(2, size=5), 1)
    history.add(packet(1, size=7), 2)
    assert history.get(1, SECOND) == packet(1, size=7)
    assert history.payload_bytes == 12


def test_equal_nacks_in_a_burst_send_once():
    history = SendHistory(min_resend_us=10_000)
    history.add(packet(1), 0)
    handed_out = [history.get(1, now_us) is not None for now_us in (0, 9_999, 10_000, 15_000)]
    assert handed_out == [False, False, True, False]
    assert history.get(1, 20_000) is not None


def test_nothing_is_sent_again_within_half_a_round_trip():
    history = SendHistory()
    history.set_rtt(100_000)
    history.add(packet(1), 0)
    given_out = [now_us for now_us in range(0, 200_000, 10_000) if history.get(1, now_us)]
    assert given_out == [50_000, 100_000, 150_000]
    history.set_rtt(0)
    assert history.get(1, 160_000) is not None
