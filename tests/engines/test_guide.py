"""Guides: their bytes, and that a fit brings the viewer's picture closer to the source."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import codec
from engines.evaluation.measures import mean_squared_error
from engines.frame import Frame, Planes
from engines.guide import GUIDE_BYTES, GUIDE_SIZE, LEVELS, Guide
from engines.guide_fitter import GuideFitter, open_guide_fitter
from engines.latent import Latent
from engines.weight_store import NO_NETWORK

guides = st.builds(
    Guide,
    restorer=st.binary(min_size=2, max_size=2),
    step=st.floats(2**-20, 60_000, width=16),
    numbers=st.tuples(*[st.integers(-LEVELS, LEVELS)] * GUIDE_SIZE),
)


@given(guides)
def test_a_guide_comes_back_from_its_bytes(guide: Guide) -> None:
    assert len(guide.to_bytes()) == GUIDE_BYTES
    assert Guide.from_bytes(guide.to_bytes()) == guide


@given(st.binary(max_size=2 * GUIDE_BYTES))
def test_any_bytes_are_a_guide_or_a_value_error(data: bytes) -> None:
    try:
        guide = Guide.from_bytes(data)
    except ValueError:
        return
    assert np.all(np.isfinite(guide.values))


def test_values_travel_within_half_a_step() -> None:
    values = np.random.default_rng(2).normal(0, 3e-3, GUIDE_SIZE)
    guide = Guide.nearest(b"me", values)
    assert guide is not None
    assert np.abs(guide.values - values).max() <= 0.51 * guide.step
    assert guide.step == pytest.approx(np.abs(values).max() / LEVELS, rel=1e-2)


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e9, float("inf"), float("nan")])
def test_what_cannot_travel_is_no_guide(value: float) -> None:
    assert Guide.nearest(b"me", np.full(GUIDE_SIZE, value)) is None


def scene(width: int, height: int, number: int) -> Frame:
    """Soft texture with fine grain: not what the network takes for likely."""
    rng = np.random.default_rng(5)
    x, y = np.meshgrid(np.arange(width) + 2 * number, np.arange(height))
    luma = 110 + 40 * np.sin(x / 9) * np.cos(y / 7) + 25 * np.sin((x - 2 * y) / 2.5)
    luma = luma + rng.normal(0, 4, luma.shape)
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Frame(
        Planes(luma.clip(16, 235).astype(np.uint8), chroma, chroma), number, number * 40_000
    )


def fitter() -> GuideFitter:
    found = open_guide_fitter(codec.open_encoder("auto", threads=1).network_id, threads=1)
    assert found is not None
    return found


def latent_of(frame: Frame, scale: int) -> Latent:
    latent = codec.open_encoder("auto", threads=1).encode(frame, scale=scale, bits=8)
    return replace(latent, qp=30.0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_guide_helps_pictures_like_the_one_it_was_fitted_to(scale: int) -> None:
    encoder = codec.open_encoder("auto", threads=1)
    restorer = codec.open_restorer("auto", encoder.network_id, threads=1)
    shown, later = scene(480, 288, 0), scene(480, 288, 1)
    guide = fitter().fit(latent_of(shown, scale), shown)
    assert guide is not None
    plain = latent_of(later, scale)
    for_others = replace(plain, guide=replace(guide, restorer=b"??"))
    guided = replace(plain, guide=guide)
    errors = [
        mean_squared_error(frame.planes.y, later.planes.y)
        for frame in restorer.restore([plain, for_others, guided])
    ]
    assert errors[0] == errors[1]
    assert errors[2] < 0.99 * errors[0]


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (331, 100), (1000, 64)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_any_size_can_be_fitted(size: tuple[int, int], scale: int) -> None:
    shown = scene(*size, 0)
    guide = fitter().fit(latent_of(shown, scale), shown)
    assert guide is not None
    assert np.all(np.isfinite(guide.values))


def test_what_was_seen_before_fades_and_is_forgotten_on_demand() -> None:
    one, other = scene(480, 288, 0), scene(480, 288, 30)
    work = fitter()
    first = work.fit(latent_of(one, 2), one)
    assert work.fit(latent_of(other, 2), other) != first
    work.forget()
    assert work.fit(latent_of(one, 2), one) == first


def test_streams_without_a_network_have_no_fitter() -> None:
    assert open_guide_fitter(NO_NETWORK, threads=1) is None
    assert open_guide_fitter(b"another!", threads=1) is None
