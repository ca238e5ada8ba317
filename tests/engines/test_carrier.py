"""The carrier: one picture in, one access unit out, and nothing that ends it."""

from contextlib import suppress

import numpy as np
import pytest

from engines import carrier
from engines.carrier import CASCADE, CarrierDecoder, CarrierEncoder
from engines.errors import CarrierError
from engines.frame import Planes
from link.nal import split_annexb

WIDTH, HEIGHT = 160, 96
SPS = 33  # NAL unit type of a sequence parameter set
SEI = 39  # of supplemental enhancement information before a picture


def moving(number: int, width: int = WIDTH, height: int = HEIGHT) -> Planes:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    luma = 120 + 60 * np.sin((x + 2 * number) / 9) * np.cos(y / 7)
    half = np.full((height // 2, width // 2), 128, np.uint8)
    return Planes(luma.astype(np.uint8), half, half)


def test_every_picture_comes_out_at_once_and_decodes_at_once() -> None:
    encoder, decoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=24), CarrierDecoder()
    for number in range(0, 30, 3):
        (coded,) = encoder.encode(moving(number), number)
        ((got, planes),) = decoder.decode(coded.data, coded.number)
        assert coded.number == got == number
        assert np.abs(planes.y.astype(int) - moving(number).y).mean() < 4
    assert encoder.close() == []


def test_irap_on_request_starts_with_parameter_sets() -> None:
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, bitrate_bps=100_000)
    coded = [encoder.encode(moving(n), n, irap=n == 7)[0] for n in range(10)]
    assert [c.irap for c in coded] == [n in (0, 7) for n in range(10)]
    for c in (coded[0], coded[7]):
        assert c.data[:5] == b"\0\0\0\1\x40"  # a VPS comes first
    late = CarrierDecoder()
    assert [len(late.decode(c.data, c.number)) for c in coded[7:]] == [1, 1, 1]


def test_qp_is_reported() -> None:
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=30)
    qps = [encoder.encode(moving(n), n)[0].qp for n in range(3)]
    assert 26 <= qps[0] <= 30
    assert qps[2] == pytest.approx(30, abs=1)


def test_pictures_for_a_network_are_coded_with_other_tools() -> None:
    sequence_sets = []
    for restored in (False, True):
        encoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=30, restored=restored)
        (coded,) = encoder.encode(moving(0), 0)
        sequence_sets.append([nal for nal in split_annexb(coded.data) if nal[0] >> 1 == SPS])
        ((_, planes),) = CarrierDecoder().decode(coded.data, 0)
        assert np.abs(planes.y.astype(int) - moving(0).y).mean() < 4
    assert len(sequence_sets[0]) == len(sequence_sets[1]) == 1
    assert sequence_sets[0] != sequence_sets[1]  # no sample adaptive offset, for one


def test_a_smaller_latent_is_coded_with_more_of_its_colour() -> None:
    def coloured(number: int) -> Planes:
        noise = np.random.default_rng(number).normal(128, 12, (2, HEIGHT // 2, WIDTH // 2))
        u, v = noise.clip(0, 255).astype(np.uint8)
        return Planes(moving(number).y, u, v)

    errors = []
    for scale in (1, 2):
        encoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=36, restored=True, scale=scale)
        (coded,) = encoder.encode(coloured(0), 0)
        ((_, planes),) = CarrierDecoder().decode(coded.data, 0)
        errors.append(np.square(planes.u - coloured(0).u.astype(float)).mean())
    assert errors[1] < 0.8 * errors[0]


def busy(number: int) -> Planes:
    """Texture that moves and changes, so that every picture costs something."""
    noise = np.random.default_rng(number // 2).normal(0, 9, (HEIGHT, WIDTH))
    half = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Planes((moving(number).y + noise).clip(0, 255).astype(np.uint8), half, half)


def test_slower_finds_more_in_earlier_pictures() -> None:
    """Of four pictures that come round in turn, slow looks at the last two alone."""
    sizes = {}
    for preset in ("slow", "slower"):
        encoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=36, restored=True, preset=preset, scale=3)
        coded = [encoder.encode(busy(2 * (n % 4)), n)[0] for n in range(12)]
        sizes[preset] = sum(len(c.data) for c in coded[4:])
    assert sizes["slower"] < 0.5 * sizes["slow"]


def test_settings_of_x265_do_not_travel() -> None:
    for restored in (False, True):
        encoder = CarrierEncoder(WIDTH, HEIGHT, 25, crf=30, restored=restored)
        coded = [encoder.encode(busy(n), n, irap=n == 3)[0] for n in range(5)]
        kinds = [nal[0] >> 1 for c in coded for nal in split_annexb(c.data)]
        assert SEI not in kinds


def test_pictures_that_others_lean_on_get_more_bits() -> None:
    """After every IRAP the cascade begins anew, also after one that nobody asked for."""
    first, asked, own = 0, 9, 25
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, crf=30, restored=True, keyframe_interval=16)
    coded = [encoder.encode(busy(n), n, irap=n == asked)[0] for n in range(40)]
    assert [c.number for c in coded if c.irap] == [first, asked, own]
    step = len(CASCADE)
    for irap, end in ((first, asked), (asked, own), (own, 40)):
        sizes = [len(c.data) for c in coded[irap:end]]
        leant_on = sizes[step::step]
        others = [size for place, size in enumerate(sizes) if place % step]
        assert min(leant_on) > np.mean(others), (irap, sizes)


def test_told_qp_is_the_mean_over_a_cascade_and_begins_anew_with_an_irap() -> None:
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, crf=34, restored=True)
    coded = [encoder.encode(busy(n), n, irap=n == 12)[0] for n in range(20)]
    qps = [c.qp for c in coded]
    assert qps[12] < qps[11] - 2  # an IRAP's own
    steady = qps[6:12]
    assert max(steady) - min(steady) < max(CASCADE) / 2


@pytest.mark.parametrize("restored", [False, True])
def test_bitrate_is_kept(restored: bool) -> None:
    rng = np.random.default_rng(5)
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, bitrate_bps=60_000, restored=restored)
    total = 0
    for number in range(100):
        noisy = moving(number).y + rng.normal(0, 12, (HEIGHT, WIDTH))
        half = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
        planes = Planes(noisy.clip(0, 255).astype(np.uint8), half, half)
        total += sum(len(c.data) for c in encoder.encode(planes, number))
    assert total * 8 / 4 <= 60_000 * 1.25


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_damaged_access_unit_is_survived(cut: int) -> None:
    encoder, decoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=24), CarrierDecoder()
    units = [encoder.encode(moving(n), n, irap=n == 6)[0] for n in range(8)]
    for unit in units[:3]:
        decoder.decode(unit.data, unit.number)
    for broken in (units[3].data[:cut], b"\0\0\0\1\x02\x01" + bytes(range(256)), b"garbage"):
        with suppress(CarrierError):  # the only error there is; some damage decodes to something
            decoder.decode(broken, 3)
    pictures = [p for unit in units[6:] for p in decoder.decode(unit.data, unit.number)]
    assert [n for n, _ in pictures][-2:] == [6, 7]


def test_decoder_follows_a_change_of_size() -> None:
    decoder = CarrierDecoder()
    for width, height in ((160, 96), (96, 64)):
        encoder = CarrierEncoder(width, height, 25, qp=30)
        for number in range(3):
            (coded,) = encoder.encode(moving(number, width, height), number)
            ((_, planes),) = decoder.decode(coded.data, number)
            assert (planes.width, planes.height) == (width, height)


def test_a_picture_larger_than_any_source_is_refused_before_memory_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = CarrierEncoder(WIDTH, HEIGHT, 25, qp=24)
    (coded,) = encoder.encode(moving(0), 0)
    monkeypatch.setattr(carrier, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    with suppress(CarrierError):
        assert CarrierDecoder().decode(coded.data, 0) == []


def test_wrong_settings_are_named() -> None:
    with pytest.raises(CarrierError, match="one of bitrate_bps, crf and qp"):
        CarrierEncoder(WIDTH, HEIGHT, 25)
    with pytest.raises(CarrierError, match="unknown x265 preset 'turbo'"):
        CarrierEncoder(WIDTH, HEIGHT, 25, qp=30, preset="turbo")
