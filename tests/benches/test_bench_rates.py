"""The search for the quality setting that meets a rate."""

import pytest

from benches.channels import Stream
from benches.coders import CRF, Vp9
from benches.rates import TOLERANCE, RateSearch
from link.access_unit import AccessUnit


class FakeCarrier:
    """Spends `at_30` bits at CRF 30 and half of them for every `octave` more; counts encodings."""

    def __init__(self, at_30: float, octave: float) -> None:
        self.at_30, self.octave, self.tried = at_30, octave, []

    def __call__(self, crf: float) -> Stream:
        self.tried.append(crf)
        size = max(1, round(self.at_30 / 8 * 2 ** ((30 - crf) / self.octave)))
        return Stream((AccessUnit(bytes(size), 0, True),), crf, 0.0)


@pytest.mark.parametrize("octave", [3.0, 6.0, 11.0])
def test_bits_are_met_within_the_grid_in_a_few_tries(octave):
    carrier = FakeCarrier(800_000, octave)
    _, stream = RateSearch(carrier, CRF).at(250_000)
    assert abs(stream.bits / 250_000 - 1) <= TOLERANCE + 0.01
    assert len(carrier.tried) <= 6


@pytest.mark.parametrize(
    ("values", "bits", "end"),
    [(CRF, 1, 51), (CRF, 10**12, 8), (Vp9().qualities, 1, 126), (Vp9().qualities, 10**12, 0)],
)
def test_out_of_reach_gives_the_end_of_the_codecs_own_range(values, bits, end):
    assert RateSearch(FakeCarrier(800_000, 6.0), values).at(bits)[0] == end


def test_whole_steps_stay_whole():
    carrier = FakeCarrier(800_000, 9.0)
    RateSearch(carrier, Vp9().qualities).at(250_000)
    assert all(quality == int(quality) for quality in carrier.tried)


def test_a_setting_can_be_asked_for():
    carrier = FakeCarrier(800_000, 6.0)
    search = RateSearch(carrier, CRF)
    stream = search.at_quality(28)
    assert search.at_quality(28) is stream
    assert carrier.tried == [28]


def test_same_bits_give_the_same_stream_and_no_crf_is_encoded_twice():
    carrier = FakeCarrier(800_000, 6.0)
    search = RateSearch(carrier, CRF)
    streams = [search.at(bits)[1] for bits in (300_000, 250_000, 300_000, 250_000)]
    assert streams[0] is streams[2]
    assert streams[1] is streams[3]
    assert len(carrier.tried) == len(set(carrier.tried))
