import pytest
from h265_units import nal, nal_units
from hypothesis import given
from hypothesis import strategies as st

from link.errors import WireError
from link.nal import (
    NalType,
    escape_rbsp,
    first_slice,
    is_irap,
    is_parameter_set,
    is_slice,
    join_annexb,
    nal_type,
    split_annexb,
    unescape_rbsp,
)


@pytest.mark.parametrize(
    ("data", "nals"),
    [
        (b"", []),
        (b"no start code here", []),
        (b"\0\0\1", []),
        (b"\0\0\1\x40", []),  # half a header
        (b"\0\0\1\x40\1", [b"\x40\1"]),
        (b"\0\0\0\1\x40\1\x0c\0\0\1\x42\1", [b"\x40\1\x0c", b"\x42\1"]),
        (b"\0\0\0\0\0\1\x40\1\x0c\0\0\0", [b"\x40\1\x0c"]),  # leading and trailing zeros
        (b"junk\0\0\1\x40\1", [b"\x40\1"]),
        (b"\0\0\1\0\0\1\x40\1\0\0\1", [b"\x40\1"]),  # empty units
    ],
)
def test_annexb_is_split_at_start_codes_of_either_length(data, nals):
    assert split_annexb(data) == nals


@given(st.lists(nal_units.filter(lambda unit: b"\0\0" not in unit), max_size=6))
def test_joined_nal_units_split_into_the_same(nals):
    assert split_annexb(join_annexb(nals)) == nals


@given(st.binary(max_size=400))
def test_split_survives_random_bytes(data):
    assert all(len(nal) >= 2 and b"\0\0\1" not in nal for nal in split_annexb(data))


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=80).map(bytes))
def test_escaped_bytes_hold_no_start_code_and_come_back(rbsp):
    rbsp += b"\x80"
    escaped = escape_rbsp(rbsp)
    assert not any(b"\0\0" + bytes([n]) in escaped for n in range(3))
    assert unescape_rbsp(escaped) == rbsp


@pytest.mark.parametrize(
    ("kind", "irap", "parameter_set", "slice_"),
    [
        (NalType.TRAIL_N, False, False, True),
        (NalType.TRAIL_R, False, False, True),
        (15, False, False, True),
        (NalType.BLA_W_LP, True, False, True),
        (NalType.IDR_N_LP, True, False, True),
        (NalType.CRA, True, False, True),
        (NalType.RSV_IRAP_VCL23, True, False, True),
        (24, False, False, True),
        (NalType.VPS, False, True, False),
        (NalType.PPS, False, True, False),
        (NalType.AUD, False, False, False),
        (NalType.PREFIX_SEI, False, False, False),
    ],
)
def test_nal_types_are_told_apart(kind, irap, parameter_set, slice_):
    unit = nal(kind, 10)
    assert nal_type(unit) == kind
    assert (is_irap(unit), is_parameter_set(unit), is_slice(unit)) == (irap, parameter_set, slice_)


def test_first_slice_reads_the_first_bit_of_a_slice_only():
    assert first_slice(nal(NalType.TRAIL_R, 10))
    assert not first_slice(nal(NalType.TRAIL_R, 10, first=False))
    assert not first_slice(nal(NalType.VPS, 10))
    assert not first_slice(nal(NalType.TRAIL_R, 3)[:2])


@pytest.mark.parametrize("unit", [b"", b"\x40"])
def test_a_nal_unit_without_header_is_a_wire_error(unit):
    with pytest.raises(WireError):
        nal_type(unit)
