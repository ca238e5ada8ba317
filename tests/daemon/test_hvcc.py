"""The header of a recorded H.265 stream."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.container import InputContainer, OutputContainer

from daemon.hvcc import configuration, with_lengths
from engines.frame import Planes, planes_to_video_frame
from link.nal import NalType, join_annexb, nal_type, split_annexb

WIDTH, HEIGHT = 128, 96


@pytest.fixture(scope="module")
def irap() -> bytes:
    """An IRAP of x265 with its parameter sets."""
    planes = Planes(
        *(np.full(shape, 90, np.uint8) for shape in ((HEIGHT, WIDTH), (48, 64), (48, 64)))
    )
    encoder = av.CodecContext.create("libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    encoder.options = {"x265-params": "log-level=none:repeat-headers=1", "tune": "zerolatency"}
    return b"".join(map(bytes, encoder.encode(planes_to_video_frame(planes))))


def header_of_libavformat(irap: bytes) -> bytes:
    file = io.BytesIO()
    with av.open(io.BytesIO(irap), format="hevc") as probe:
        assert isinstance(probe, InputContainer)
        made = av.open(file, "w", format="matroska")
        assert isinstance(made, OutputContainer)
        stream = made.add_stream_from_template(probe.streams.video[0])
        packet = av.Packet(irap)
        packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 1000), 0, 0
        made.mux(packet)
        made.close()
    with av.open(io.BytesIO(file.getvalue())) as read:
        return bytes(read.streams.video[0].codec_context.extradata or b"")


def test_it_says_what_libavformat_says_of_it(irap: bytes) -> None:
    ours, theirs = configuration(irap), header_of_libavformat(irap)
    assert ours is not None
    assert ours[:13] == theirs[:13]  # version, profile, compatibility, constraints, level
    assert ours[15:23] == theirs[15:23]  # from the parallelism on, which nobody knows better
    assert arrays(ours) == arrays(theirs)[: len(arrays(ours))]  # there an SEI follows


def arrays(record: bytes) -> list[tuple[int, bytes]]:
    """Type and bytes of each parameter set."""
    found, at = [], 23
    for _ in range(record[22]):
        kind, count = record[at] & 0x3F, int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            found.append((kind, record[at + 2 : at + 2 + size]))
            at += 2 + size
    return found


@pytest.mark.parametrize("missing", [NalType.VPS, NalType.SPS, NalType.PPS])
def test_without_one_of_the_parameter_sets_there_is_none(irap: bytes, missing: NalType) -> None:
    rest = [nal for nal in split_annexb(irap) if nal_type(nal) != missing]
    assert configuration(join_annexb(rest)) is None


def test_parameter_sets_that_are_cut_off_or_too_long_are_none(irap: bytes) -> None:
    nals = split_annexb(irap)
    for at, nal in enumerate(nals):
        if nal_type(nal) == NalType.SPS:
            assert configuration(join_annexb([*nals[:at], nal[:14], *nals[at + 1 :]])) is None
            long = nal + bytes([0x55]) * 70_000
            assert configuration(join_annexb([*nals[:at], long, *nals[at + 1 :]])) is None


def test_units_have_their_lengths(irap: bytes) -> None:
    data, at = with_lengths(irap), 0
    for nal in split_annexb(irap):
        assert data[at : at + 4] == len(nal).to_bytes(4, "big")
        assert data[at + 4 : at + 4 + len(nal)] == nal
        at += 4 + len(nal)
    assert at == len(data)
