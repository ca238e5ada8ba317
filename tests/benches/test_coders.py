"""The codecs that denc is measured beside."""

from types import SimpleNamespace

import av
import numpy as np
import pytest
from small_clip import CLIP, FRAMES, HEIGHT, WIDTH

from benches import BenchError, coders
from benches.channels import CoderChannel
from benches.coders import X265, Packet, SvtAv1, Vp9
from engines.evaluation.measures import psnr

CODERS = [X265(), X265(low_delay=False), SvtAv1(), Vp9()]
LOW_DELAY = [X265(), SvtAv1(), Vp9()]
NAMES = {"ids": lambda coder: coder.settings.partition(",")[0]}


def size(packets: list[Packet]) -> int:
    return sum(len(packet.data) for packet in packets)


@pytest.mark.parametrize("coder", CODERS, **NAMES)
def test_pictures_come_back_in_their_order_and_better_for_more_bits(coder):
    values = coder.qualities
    good, bad = (
        coder.encode(CLIP.pictures, CLIP.fps, round(values.low + part * (values.high - values.low)))
        for part in (0.3, 0.95)
    )
    assert size(bad) < size(good) / 2
    shown = [coder.decode(packet.data for packet in packets) for packets in (good, bad)]
    assert [len(pictures) for pictures in shown] == [FRAMES] * 2
    for own, worse, source in zip(*shown, CLIP.pictures, strict=True):
        assert psnr(own.y, source.y) > psnr(worse.y, source.y)
        assert psnr(own.y, source.y) > 30  # the next picture would be under 20 dB


@pytest.mark.parametrize("coder", LOW_DELAY, **NAMES)
def test_low_delay_gives_every_picture_at_once(coder):
    numbers = [p.number for p in coder.encode(CLIP.pictures, CLIP.fps, 40)]
    assert numbers == list(range(FRAMES))
    one = coder.encode(CLIP.pictures[:1], CLIP.fps, 40)
    assert len(one) == 1
    assert one[0].key


@pytest.mark.parametrize("coder", CODERS, **NAMES)
def test_the_ends_of_the_range_are_taken(coder):
    for quality in (coder.qualities.low, coder.qualities.high):
        assert coder.encode(CLIP.pictures[:2], CLIP.fps, quality)


def test_quarter_steps_of_svt_av1_are_not_the_same():
    sizes = [size(SvtAv1().encode(CLIP.pictures, CLIP.fps, q)) for q in (40.0, 40.5, 64.0, 70.0)]
    assert sizes[0] >= sizes[1] > sizes[2] > sizes[3]


def test_x265_does_not_tell_its_options_in_the_stream():
    packets = X265().encode(CLIP.pictures, CLIP.fps, 51)
    assert b"x265" not in packets[0].data
    assert size(packets) < 1500


def test_smaller_x265_costs_less_and_shows_full_size():
    half, full = CoderChannel(CLIP, X265(), 2), CoderChannel(CLIP, X265())
    stream = half.encode(25)
    assert stream.bits < full.encode(25).bits
    assert half.show(stream, "x265-1/2")[0].y.shape == (HEIGHT, WIDTH)


def test_a_codec_that_is_not_there_is_one_sentence(monkeypatch):
    def missing(name: str, mode: str) -> None:
        raise av.codec.codec.UnknownCodecError(name)

    context = SimpleNamespace(create=missing)  # PyAV 19's own cannot be changed
    monkeypatch.setattr(coders.av, "CodecContext", context)
    with pytest.raises(BenchError, match="libsvtav1 cannot encode 130x98"):
        SvtAv1().encode(CLIP.pictures, CLIP.fps, 40)


def test_what_does_not_decode_is_one_sentence():
    with pytest.raises(BenchError, match="cannot decode"):
        Vp9().decode([np.random.default_rng(1).bytes(200)])
