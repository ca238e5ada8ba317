"""Bitwidth quantization: ordered, exact where it can be, and safe against garbage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.codebook import BITS_MAX, BITS_MIN, Codebook, carrier_values, fit_levels

bits_range = st.integers(BITS_MIN, BITS_MAX)


def made_codebook(bits: int, seed: int) -> Codebook:
    rng = np.random.default_rng(seed)
    channels = [
        fit_levels(
            rng.normal(rng.uniform(40, 200), rng.uniform(1, 70), 5000).astype(np.float32), bits
        )
        for _ in range(3)
    ]
    return Codebook(bits, (channels[0], channels[1], channels[2]))


@given(bits_range, st.integers(0, 1000))
def test_codebook_survives_the_wire(bits: int, seed: int) -> None:
    codebook = made_codebook(bits, seed)
    assert Codebook.from_bytes(codebook.to_bytes()) == codebook


@given(bits_range, st.integers(0, 1000))
def test_every_level_is_restored_exactly(bits: int, seed: int) -> None:
    codebook = made_codebook(bits, seed)
    for channel, levels in enumerate(codebook.levels):
        carried = codebook.compress(channel, levels)
        assert np.array_equal(carried, carrier_values(bits))
        assert np.array_equal(codebook.expand(channel, carried), levels)


@given(bits_range, st.integers(0, 1000))
def test_order_is_kept_both_ways(bits: int, seed: int) -> None:
    codebook = made_codebook(bits, seed)
    rising = np.linspace(-5, 260, 3000).astype(np.float32)
    for channel in range(3):
        assert np.all(np.diff(codebook.compress(channel, rising).astype(int)) >= 0)
        assert np.all(np.diff(codebook.expand(channel, np.arange(256, dtype=np.uint8))) >= 0)


@given(bits_range, st.integers(0, 1000))
def test_value_goes_to_its_nearest_level(bits: int, seed: int) -> None:
    codebook = made_codebook(bits, seed)
    values = np.arange(0, 1021, dtype=np.float32) / 4
    for channel, levels in enumerate(codebook.levels):
        got = codebook.expand(channel, codebook.compress(channel, values))
        best = np.abs(values[:, None] - levels[None]).min(axis=1)
        assert np.array_equal(np.abs(values - got), best)


def test_eight_uniform_bits_change_nothing() -> None:
    values = np.arange(256, dtype=np.float32)
    codebook = Codebook.uniform(8)
    assert np.array_equal(codebook.compress(0, values), values)
    assert codebook.to_bytes() == b"\x08\x00"


@pytest.mark.parametrize("bits", range(BITS_MIN, BITS_MAX + 1))
def test_k_means_beats_uniform_levels_on_what_it_was_fitted_to(bits: int) -> None:
    samples = np.random.default_rng(1).normal(120, 25, 50_000).clip(0, 255).astype(np.float32)
    levels = fit_levels(samples, bits)
    fitted, uniform = Codebook(bits, (levels,) * 3), Codebook.uniform(bits)

    def error(codebook: Codebook) -> float:
        return float(np.square(codebook.expand(0, codebook.compress(0, samples)) - samples).mean())

    assert error(fitted) < 0.75 * error(uniform)


def test_levels_of_a_constant_channel_still_rise() -> None:
    for value in (0.0, 128.0, 255.0):
        levels = fit_levels(np.full(100, value, np.float32), 8)
        assert np.all(np.diff(levels) > 0)
        assert levels[0] >= 0
        assert levels[-1] <= 255


@given(st.binary(max_size=1100))
def test_garbage_is_a_value_error(data: bytes) -> None:
    try:
        codebook = Codebook.from_bytes(data)
    except ValueError:
        return
    assert Codebook.from_bytes(codebook.to_bytes()) == codebook


@given(st.integers(0, 50), st.integers(0, 800), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_is_a_codebook(seed: int, place: int, value: int) -> None:
    data = bytearray(made_codebook(8, seed).to_bytes())
    data[place % len(data)] = value
    try:
        codebook = Codebook.from_bytes(bytes(data))
    except ValueError:
        return
    assert all(np.all(np.diff(levels) > 0) for levels in codebook.levels)


def test_wrong_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="rising"):
        Codebook(4, (np.zeros(16, np.float32),) * 3)
    with pytest.raises(ValueError, match="bits must be"):
        Codebook.uniform(3)
