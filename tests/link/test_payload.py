import pytest
from h265_units import nal, nal_units, picture
from hypothesis import given
from hypothesis import strategies as st

from link.errors import WireError
from link.nal import NalType, join_annexb
from link.payload import MAX_NAL_BYTES, Depayloader, leading_nal, packetize

AP = NalType.AGGREGATION_PACKET
FU = NalType.FRAGMENTATION_UNIT


def depayload(payloads):
    depayloader = Depayloader()
    nals = [unit for payload in payloads for unit in depayloader.push(payload)]
    assert not depayloader.is_open
    return nals


def types(payloads):
    return [payload[0] >> 1 for payload in payloads]


@given(st.lists(nal_units, max_size=12), st.integers(4, 90))
def test_nal_units_come_back_from_payloads_that_fit(nals, max_payload_bytes):
    payloads = packetize(nals, max_payload_bytes)
    assert all(len(payload) <= max_payload_bytes for payload in payloads)
    assert depayload(payloads) == nals


@pytest.mark.parametrize(
    ("unit", "payloads"),
    [
        ("0201d0d1", ["0201d0d1"]),
        # type 19, layer 0, TID 1: indicator 0x62 0x01, then S|19, 19, E|19
        ("2601a0a1a2a3a4", ["620193a0a1", "620113a2a3", "620153a4"]),
        # F bit, layer id 33 and TID 7 are kept in the indicator
        ("830fd0d1d2d3", ["e30f81d0d1", "e30f41d2d3"]),
    ],
)
def test_fragmentation_writes_the_bytes_of_rfc_7798_section_4_4_3(unit, payloads):
    expected = [bytes.fromhex(payload) for payload in payloads]
    assert packetize([bytes.fromhex(unit)], 5) == expected
    assert depayload(expected) == [bytes.fromhex(unit)]


@pytest.mark.parametrize(
    ("units", "payload"),
    [
        (["40010c", "420101", "4401c1"], "6001000340010c000342010100034401c1"),
        # F of either, lowest layer id, lowest TID
        (["400ac0", "c20bc1"], "e00a0003400ac00003c20bc1"),
        (["410ac0", "0211c1"], "60110003410ac000030211c1"),
    ],
)
def test_aggregation_writes_the_bytes_of_rfc_7798_section_4_4_2(units, payload):
    nals = [bytes.fromhex(unit) for unit in units]
    assert packetize(nals) == [bytes.fromhex(payload)]
    assert depayload([bytes.fromhex(payload)]) == nals


def test_parameter_sets_share_a_payload_and_a_large_slice_is_cut():
    payloads = packetize(picture(0, irap=True, size=3000))
    assert types(payloads) == [AP, FU, FU, FU]


def test_side_information_never_travels_in_an_ap():
    sei = nal(NalType.PREFIX_SEI, 50)
    vps, sps, pps, idr = picture(0, irap=True)
    payloads = packetize([vps, sps, pps, sei, idr, nal(NalType.SUFFIX_SEI, 9)])
    assert types(payloads) == [AP, NalType.PREFIX_SEI, NalType.IDR_W_RADL, NalType.SUFFIX_SEI]
    assert payloads[1] == sei


@pytest.mark.parametrize("size", [1199, 1200])
def test_a_unit_up_to_the_limit_travels_whole(size):
    assert len(packetize([nal(NalType.TRAIL_R, size)])) == 1


def test_a_unit_one_byte_over_the_limit_is_cut():
    assert types(packetize([nal(NalType.TRAIL_R, 1201)])) == [FU, FU]


@pytest.mark.parametrize("unit", [b"", b"\x40", nal(48, 10), nal(63, 10)])
def test_units_that_rtp_cannot_carry_are_refused(unit):
    with pytest.raises(WireError):
        packetize([unit])


def test_payloads_too_small_for_a_fragment_are_refused():
    with pytest.raises(ValueError, match="too small"):
        packetize([nal(1, 10)], 3)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_fragment_discards_its_nal_unit_only(lost):
    before, cut, after = nal(1, 5, fill=1), nal(1, 14, fill=2), nal(1, 5, fill=3)
    fragments = packetize([cut], 6)
    assert len(fragments) == 4
    depayloader = Depayloader()
    nals = depayloader.push(before)
    for at, fragment in enumerate(fragments):
        if at == lost:
            depayloader.lost()
        else:
            nals += depayloader.push(fragment)
    if lost == 3:
        depayloader.lost()
    nals += depayloader.push(after)
    assert nals == [before, after]
    assert depayloader.damaged


def test_a_unit_begun_before_the_last_one_ended_takes_its_place():
    first, second = packetize([nal(1, 9, fill=1)], 6), packetize([nal(1, 9, fill=2)], 6)
    depayloader = Depayloader()
    assert depayloader.push(first[0]) == []
    assert [depayloader.push(fragment) for fragment in second][-1] == [nal(1, 9, fill=2)]
    assert depayloader.damaged


def test_paci_is_passed_over():
    depayloader = Depayloader()
    assert depayloader.push(bytes.fromhex("64010203")) == []
    assert not depayloader.damaged


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "40",
        "6001",  # AP without units
        "600100",  # half a size
        "60010004400102",  # cut off
        "6001000140",  # a unit without header
        "600100036001aa",  # an AP inside an AP
        "6201",  # FU without its header
        "620193",  # without payload
        "6201d3aa",  # first and last at once
        "6201b0aa",  # of type AP
    ],
)
def test_malformed_payloads_are_wire_errors_and_the_next_is_taken(payload):
    depayloader = Depayloader()
    with pytest.raises(WireError):
        depayloader.push(bytes.fromhex(payload))
    assert depayloader.push(nal(1, 5)) == [nal(1, 5)]


def test_a_fragment_of_another_type_inside_a_unit_is_a_wire_error():
    depayloader = Depayloader()
    depayloader.push(bytes.fromhex("620193a0"))
    with pytest.raises(WireError):
        depayloader.push(bytes.fromhex("620141a0"))
    assert depayloader.damaged


def test_an_endless_fragmented_unit_is_given_up():
    depayloader = Depayloader()
    fragment = bytes.fromhex("620113") + bytes(1 << 20)
    depayloader.push(bytes.fromhex("620193a0"))
    for _ in range((MAX_NAL_BYTES >> 20) - 1):
        depayloader.push(fragment)
    with pytest.raises(WireError, match="more than"):
        depayloader.push(fragment)
    assert not depayloader.is_open


def push_or_refuse(depayloader, payload):
    """Pushes a payload that may be malformed: only WireError is allowed."""
    leading_nal(payload)
    try:
        join_annexb(depayloader.push(payload))
    except WireError:
        assert not depayloader.is_open


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_depayloader_survives_random_bytes(payloads):
    depayloader = Depayloader()
    for payload in payloads:
        push_or_refuse(depayloader, payload)


@given(
    st.lists(nal_units, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_depayloader_survives_mutated_payloads(nals, mutations):
    payloads = [bytearray(payload) for payload in packetize(nals, 30)]
    for at, value in mutations:
        payload = payloads[at % len(payloads)]
        payload[at % min(4, len(payload))] = value
    depayloader = Depayloader()
    for payload in payloads:
        push_or_refuse(depayloader, bytes(payload))


@pytest.mark.parametrize(
    ("payload", "leading"),
    [
        ("2601a0a1a2", "2601a0"),
        ("6001000340010c0003420101", "40010c"),
        ("620193a0a1", "2601a0"),
        ("620113a0a1", ""),
        ("620193", ""),
        ("40", ""),
        ("", ""),
    ],
)
def test_leading_nal_is_the_one_that_a_payload_begins(payload, leading):
    assert leading_nal(bytes.fromhex(payload)) == bytes.fromhex(leading)
