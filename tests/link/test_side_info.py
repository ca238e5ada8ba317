import dataclasses
import struct
import time
import zlib

import pytest
from h265_units import nal, picture
from hypothesis import given
from hypothesis import strategies as st

from link.errors import SideInfoError, WireError
from link.nal import NalType, join_annexb, nal_type, split_annexb
from link.side_info import (
    CODEBOOK_MAX_BYTES,
    GUIDE_MAX_BYTES,
    NO_NETWORK,
    SEI_MAX_BYTES,
    SEI_MAX_UNITS,
    SIDE_INFO_MAX_BYTES,
    SIDE_INFO_UUID,
    SideInfo,
    find_side_info,
    insert_side_info,
    pack,
    parse,
    side_info_nal,
)

INFO = SideInfo(
    source_width=1280,
    source_height=720,
    scale=3,
    bits=6,
    qp=31.25,
    network_id=bytes.fromhex("8f3a00c21177d0e4"),
    frame_number=70_000,
    captured_us=1_790_000_000_123_456,
    fps=29.97,
)

side_infos = st.builds(
    SideInfo,
    source_width=st.integers(64, 8192),
    source_height=st.integers(64, 8192),
    scale=st.integers(1, 4),
    bits=st.integers(4, 8),
    qp=st.integers(0, 51 * 4).map(lambda quarters: quarters / 4),
    network_id=st.one_of(st.just(NO_NETWORK), st.binary(min_size=8, max_size=8)),
    frame_number=st.integers(0, 2**32 - 1),
    captured_us=st.integers(0, 2**64 - 1),
    fps=st.integers(1, 0xFFFFFF).map(lambda millihertz: millihertz / 1000),
    codebook=st.one_of(st.none(), st.binary(min_size=1, max_size=CODEBOOK_MAX_BYTES)),
    guide=st.one_of(st.none(), st.binary(min_size=1, max_size=GUIDE_MAX_BYTES)),
)


@given(side_infos)
def test_side_information_comes_back_from_its_bytes(info):
    data = pack(info)
    assert len(data) <= SIDE_INFO_MAX_BYTES
    assert parse(data) == info


@given(side_infos, st.booleans())
def test_side_information_comes_back_from_an_access_unit(info, irap):
    nals = picture(7, irap=irap)
    with_info = split_annexb(insert_side_info(join_annexb(nals), info))
    assert find_side_info(with_info) == info
    assert [unit for unit in with_info if nal_type(unit) != NalType.PREFIX_SEI] == nals


@given(
    st.integers(0, 2**32 - 1), st.integers(1_577_836_800, 4_102_444_800), st.integers(0, 999_999)
)
def test_side_information_stays_below_64_bytes_on_the_wire(number, second, microsecond):
    """From 2020 to 2100, start code aside: RTP carries none."""
    info = dataclasses.replace(
        INFO, frame_number=number, captured_us=second * 1_000_000 + microsecond
    )
    assert len(side_info_nal(info)) < 64
    assert len(side_info_nal(dataclasses.replace(info, network_id=NO_NETWORK))) < 64


def test_values_are_rounded_to_what_travels():
    parsed = parse(pack(dataclasses.replace(INFO, qp=30.3, fps=30000 / 1001)))
    assert (parsed.qp, parsed.fps) == (30.25, 29.97)


def test_version_2_keeps_its_bytes():
    """Golden bytes: a change of the format needs a new version number."""
    assert pack(dataclasses.replace(INFO, guide=b"\x07", codebook=b"\x10\x80")).hex() == (
        "026b050002d07d00751200011170"  # version, flags, size, QP and rate, number
        "00065bfeda27c2408f3a00c21177d0e40107108044ebfdeb"  # time, network, guide, codebook, CRC
    )


@pytest.mark.parametrize(
    "values",
    [
        {"source_width": 63},
        {"source_height": 8193},
        {"scale": 0},
        {"scale": 5},
        {"bits": 3},
        {"bits": 9},
        {"qp": -0.25},
        {"qp": 51.25},
        {"qp": float("nan")},
        {"network_id": b"short"},
        {"frame_number": 2**32},
        {"captured_us": -1},
        {"fps": 0},
        {"fps": 16778.0},
        {"codebook": b""},
        {"codebook": bytes(CODEBOOK_MAX_BYTES + 1)},
        {"guide": b""},
        {"guide": bytes(GUIDE_MAX_BYTES + 1)},
    ],
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(SideInfoError, match="is not in"):
        dataclasses.replace(INFO, **values)


def with_crc(body):
    return body + struct.pack(">I", zlib.crc32(body))


def test_a_newer_version_says_so():
    with pytest.raises(SideInfoError, match="version 3, newer than 2"):
        parse(with_crc(b"\3" + pack(INFO)[1:-4]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" + pack(INFO)[1:-4],
        pack(INFO)[:10],
        pack(INFO)[:-6],  # the last byte of the network id and all behind it are missing
        pack(INFO)[:-4] + b"\0",  # a codebook that the flags do not announce
        pack(INFO)[:1] + b"\x0b" + pack(INFO)[2:-4],  # scale 0
        pack(INFO)[:-13] + bytes(9),  # a network id that is none
        pack(INFO)[:-5] + b"\2\7",  # a guide that is cut off
        pack(INFO)[:-4] + bytes(SIDE_INFO_MAX_BYTES),
    ],
)
def test_well_sealed_nonsense_is_refused(body):
    with pytest.raises(SideInfoError):
        parse(with_crc(body))


@given(st.integers(0, len(pack(INFO)) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed(at, flip):
    data = bytearray(pack(INFO))
    data[at] ^= flip
    with pytest.raises(SideInfoError):
        parse(bytes(data))


@given(st.binary(max_size=200))
def test_parse_survives_random_bytes(data):
    with pytest.raises(SideInfoError):
        parse(data)


@given(st.lists(st.binary(max_size=120), max_size=4), st.binary(max_size=40))
def test_find_survives_random_sei(bodies, behind_uuid):
    sei = bytes([NalType.PREFIX_SEI << 1, 1])
    assert find_side_info([sei + body for body in bodies] + bodies) is None
    ours = sei + b"\5" + bytes([16 + len(behind_uuid)]) + SIDE_INFO_UUID + behind_uuid + b"\x80"
    with pytest.raises(SideInfoError):
        find_side_info([ours])


@given(st.integers(2, 17 + 16), st.integers(0, 255))
def test_find_survives_mutated_sei(at, value):
    unit = bytearray(side_info_nal(INFO))
    unit[at] = value
    try:
        found = find_side_info([bytes(unit)])
    except SideInfoError:
        return
    assert found in (None, INFO)


def test_cut_off_side_information_is_a_side_info_error():
    with pytest.raises(SideInfoError, match="cut off"):
        find_side_info([side_info_nal(INFO)[:-6]])


def test_sei_of_others_is_passed_over():
    others = bytes([NalType.PREFIX_SEI << 1, 1, 5, 17]) + b"x264 settings as a string"[:17]
    truncated = bytes([NalType.PREFIX_SEI << 1, 1, 1, 200, 1])
    nals = [others + b"\x80", truncated, b"\x4e", side_info_nal(INFO), *picture(1)]
    assert find_side_info(nals) == INFO
    assert find_side_info(nals[:3]) is None


def test_ours_is_found_behind_another_message_of_the_same_sei():
    unit = side_info_nal(INFO)
    assert find_side_info([unit[:2] + b"\x89\2\xaa\xbb" + unit[2:]]) == INFO


def test_it_stands_behind_aud_and_parameter_sets_and_before_the_first_slice():
    nals = [nal(NalType.AUD, 3), *picture(0, irap=True), nal(NalType.SUFFIX_SEI, 8)]
    with_info = split_annexb(insert_side_info(join_annexb(nals), INFO))
    assert [nal_type(unit) for unit in with_info] == [35, 32, 33, 34, 39, 19, 40]


def test_an_access_unit_without_nal_units_takes_no_side_information():
    with pytest.raises(WireError):
        insert_side_info(b"not Annex B", INFO)


def test_megabytes_of_sei_are_not_searched():
    """Two bytes a message: reading a million of them took a third of a second."""
    huge = b"\x4e\1" + b"\1\0" * (1 << 19)
    many = [b"\x4e\1" + b"\1\0" * (SEI_MAX_BYTES // 2 - 1)] * (SEI_MAX_UNITS + 1)
    for nals in ([huge], many):
        started = time.process_time()
        assert find_side_info([*nals, side_info_nal(INFO)]) == (INFO if nals == [huge] else None)
        assert time.process_time() - started < 0.1
