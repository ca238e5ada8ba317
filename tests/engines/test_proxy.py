"""The carrier's proxy does what HEVC does, and comes near to real x265."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (make setup-train)")

import torch.nn.functional as F

from engines.frame import Planes
from engines.training import intra, motion, proxy_check, transforms
from engines.training.choice import WEIGHTS
from engines.training.proxy import Carried, carry, picture_qps
from engines.training.proxy_check import Row, agreement, calibrated
from engines.training.real_carrier import RealBatch, RealCarrier, code_clip, with_real_values


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tensors this small lose by more, and lose most on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SIDE, PICTURES = 96, 4
QPS = (20, 26, 32, 38, 44)


def texture(side: int, seed: int) -> torch.Tensor:
    """Detail of every size, as pictures have it: (1, 1, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.full((1, 1, side, side), 120.0)
    for octave in range(6):
        cells = max(2, side >> (6 - octave))
        noise = torch.randn(1, 1, cells, cells, generator=generator) * 30 / 1.7**octave
        made += F.interpolate(noise, size=(side, side), mode="bicubic", align_corners=False)
    return made.clamp(0, 255)


def clip(down: float, right: float, seed: int = 1) -> tuple[torch.Tensor, ...]:
    """A moving texture: luma (1, T, 1, SIDE, SIDE) and its chroma, whole values."""
    wide = texture(SIDE + 64, seed)
    size = wide.shape[-1]
    luma = []
    for t in range(PICTURES):
        places = torch.arange(SIDE, dtype=torch.float32) + 32
        rows = (places + t * down + 0.5) / size * 2 - 1
        columns = (places + t * right + 0.5) / size * 2 - 1
        grid = torch.stack([columns.expand(SIDE, SIDE), rows[:, None].expand(SIDE, SIDE)], dim=-1)
        luma.append(F.grid_sample(wide, grid[None], mode="bicubic", align_corners=False)[0])
    y = torch.stack(luma)[None]
    c = F.avg_pool2d(y[:, :, 0], 2)[:, :, None]
    return tuple(p.clamp(0, 255).round() for p in (y, 128 + (c - 120) / 3, 128 - (c - 120) / 4))


@pytest.mark.parametrize("size", transforms.SIZES)
def test_transforms_are_orthonormal(size: int) -> None:
    basis = transforms.block_basis(size, transforms.BLOCK)
    assert torch.allclose(basis @ basis.T, torch.eye(transforms.BLOCK), atol=1e-5)
    flat = basis @ torch.ones(transforms.BLOCK, transforms.BLOCK) @ basis.T
    assert int((flat.abs() > 1e-3).sum()) == (transforms.BLOCK // size) ** 2


def test_blocks_come_back() -> None:
    plane = torch.rand(2, 3, 64, 96)
    blocks = transforms.blocks_of(plane, 32)
    assert blocks.shape == (2, 3, 6, 32, 32)
    assert torch.equal(transforms.plane_of(blocks, 64, 96), plane)


def test_steps_and_chroma_qps_are_hevcs() -> None:
    assert float(transforms.step_size(torch.tensor(4.0))) == 1.0
    assert float(transforms.step_size(torch.tensor(28.0))) == 16.0
    qps = torch.tensor([12.0, 29.0, 30.0, 34.0, 35.0, 34.5, 43.0, 44.0, 51.0])
    assert transforms.chroma_qp(qps).tolist() == [12, 29, 29, 33, 33, 33, 37, 38, 45]


def test_the_dead_zone_passes_gradients_where_a_dither_would_show() -> None:
    levels = torch.tensor([0.05, -0.3, 0.6, 0.9, -1.7], requires_grad=True)
    whole = transforms.quantized(levels, 1 / 6)
    assert whole.tolist() == [0, 0, 0, 1, -1]
    whole.sum().backward()
    assert levels.grad is not None
    assert levels.grad.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("size", transforms.SIZES)
def test_intra_prediction_goes_along_edges(size: int) -> None:
    assert torch.allclose(intra.matrices(size).sum(-1), torch.ones(len(intra.MODES), size**2))
    stripes = (torch.rand(1, 1, 64, generator=torch.Generator().manual_seed(2)) * 255).expand(
        1, 64, 64
    )
    for plane in (stripes, stripes.transpose(1, 2)):
        border = intra.border_of(plane, size)
        _, best = intra.best_prediction(plane, border, size, intra.MODES)
        inside = slice(size, None)
        assert torch.allclose(best[:, inside, inside], plane[:, inside, inside], atol=1e-3)


@pytest.mark.parametrize("vector", [(10, -13), (-40, 25), (0, 0)])
def test_motion_is_found_to_a_quarter_sample(vector: tuple[int, int]) -> None:
    """A picture that its reference predicts from a known place is found there."""
    picture, chroma = texture(SIDE, 3), torch.full((1, 2, SIDE // 2, SIDE // 2), 128.0)
    reference = motion.Reference(picture, chroma)
    blocks = SIDE // motion.MOTION_BLOCK
    wanted = torch.tensor(vector).expand(1, blocks, blocks, 2)
    moved = reference.luma(wanted)
    found = motion.search(moved, reference, torch.tensor([1.0]))
    assert (reference.luma(found) - moved).abs().mean() < 0.3
    assert torch.equal(found[:, 2:-2, 2:-2], wanted[:, 2:-2, 2:-2])


def test_a_still_clip_costs_almost_nothing_after_its_first_picture() -> None:
    carried = carry(clip(0, 0), torch.tensor([30.0]))
    assert carried.bits.shape == (1, PICTURES)
    assert torch.all(carried.bits[:, 1:] < 0.06 * carried.bits[:, :1])
    moving = carry(clip(1.3, -2.6), torch.tensor([30.0]))
    assert torch.all(moving.bits[:, 1:] > carried.bits[:, 1:])


def test_bits_fall_and_errors_grow_with_qp() -> None:
    planes = clip(0.7, 1.9)
    together = tuple(p.expand(len(QPS), -1, -1, -1, -1) for p in planes)
    carried = carry(together, torch.tensor(QPS))
    bits = carried.bits.sum(1)
    errors = (carried.planes[0] - planes[0]).square().mean((1, 2, 3, 4))
    assert torch.all(bits.diff() < 0)
    assert torch.all(errors.diff() > 0)
    alone = carry(planes, torch.tensor([QPS[2]]))  # neighbours in a batch do not matter
    assert torch.allclose(alone.bits[0], carried.bits[2], rtol=1e-3)
    assert carried.planes[1].shape == planes[1].expand(len(QPS), -1, -1, -1, -1).shape


def test_gradients_reach_the_source_and_the_pictures_before() -> None:
    y, u, v = (plane.clone().requires_grad_() for plane in clip(1.0, 2.0))
    carried = carry((y, u, v), torch.tensor([36.0]))
    carried.planes[0][:, -1].square().mean().backward(retain_graph=True)
    assert y.grad is not None
    assert torch.all(y.grad.abs().sum((0, 2, 3, 4)) > 0)  # every picture
    y.grad = None
    carried.bits[:, 0].sum().backward()
    assert y.grad is not None
    assert torch.any(y.grad[:, 0] != 0)
    assert not torch.any(y.grad[:, 1:] != 0)
    assert u.grad is not None
    assert torch.any(u.grad != 0)


def test_the_proxy_comes_near_to_real_x265() -> None:
    """Bits and PSNR of made clips that move differently, at constant QPs on both sides."""
    rows = []
    for seed, (down, right) in enumerate([(0.0, 0.0), (0.5, 2.25), (-3.0, 5.5)]):
        planes = clip(down, right, seed)
        pictures = [
            Planes(*(p[0, t, 0].to(torch.uint8).numpy() for p in planes)) for t in range(PICTURES)
        ]
        qps = picture_qps(torch.tensor(QPS).float(), PICTURES)
        carried = carry(tuple(p.expand(len(QPS), -1, -1, -1, -1) for p in planes), qps)
        for index, qp in enumerate(QPS):
            real = code_clip(pictures, 2, qp=qp)
            assert real.qps == pytest.approx(qps[index].tolist(), abs=0.1)
            for t in range(PICTURES):
                error = np.mean((real.pictures[t].y - planes[0][0, t, 0].numpy()) ** 2)
                near = float((carried.planes[0][index, t] - planes[0][0, t]).square().mean())
                rows.append(
                    Row(
                        clip=str(seed),
                        scale=2,
                        qp=qp,
                        picture=t,
                        real_bits=real.bits[t],
                        proxy_bits=float(carried.bits[index, t]),
                        real_psnr_y=-10 * np.log10(error),
                        proxy_psnr_y=-10 * np.log10(near),
                        elements=tuple(carried.elements[index, t].tolist()),
                    )
                )
    for kind in proxy_check.KINDS:
        found = agreement(rows, kind)
        assert found.pearson > 0.9, found
        assert found.spearman > 0.9, found
        assert 0.6 < found.bits_ratio < 1.6, found
        assert abs(found.psnr_gap_db) < 1.0, found


def test_real_values_come_with_the_gradients_of_the_proxy() -> None:
    y, u, v = (plane.clone().requires_grad_() for plane in clip(0.5, 1.0))
    real = RealCarrier(2).code((y, u, v), 2, crfs=[30.0])
    carried = with_real_values(carry((y, u, v), real.qps), real)
    torch.testing.assert_close(carried.bits, real.bits, rtol=1e-6, atol=0)
    assert all(torch.allclose(a, b) for a, b in zip(carried.planes, real.planes, strict=True))
    assert real.qps[0, 0] < real.qps[0, 1:].min()
    (carried.bits.sum() + carried.planes[0].square().sum()).backward()
    assert y.grad is not None
    assert torch.any(y.grad != 0)


def test_rescaling_keeps_the_ratio_of_gradients_to_bits() -> None:
    bits = torch.tensor([[100.0, 10.0]], requires_grad=True)
    planes = (torch.zeros(1, 2, 1, 4, 4), torch.zeros(1, 2, 1, 2, 2), torch.zeros(1, 2, 1, 2, 2))
    real = RealBatch(planes, torch.tensor([[50.0, 40.0]]), torch.zeros(1, 2))
    with_real_values(
        Carried(planes, bits, torch.zeros(1, 2, len(WEIGHTS))), real
    ).bits.sum().backward()
    assert bits.grad is not None
    assert bits.grad.tolist() == [[0.5, 4.0]]


def test_calibration_finds_the_bits_that_rows_were_made_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    wanted = np.array(WEIGHTS) * rng.uniform(0.5, 1.5, len(WEIGHTS))
    rows = []
    for picture in range(400):
        elements = rng.lognormal(0, 1, len(WEIGHTS)) / np.array(WEIGHTS)
        bits = round(1000 * float(elements @ wanted))
        rows.append(
            Row("made", 2, 30, picture % 8, bits, bits * 0.9, 40.0, 40.5, tuple(elements * 1000))
        )
    elements, bits = np.array([r.elements for r in rows]), np.array([r.real_bits for r in rows])
    before, after = (
        np.abs(elements @ weights / bits - 1).mean() for weights in (WEIGHTS, calibrated(rows))
    )
    assert after < 0.6 * before
    found = agreement(rows, "P", 30)
    assert (found.pictures, round(found.bits_ratio, 3)) == (350, 0.9)
    assert found.psnr_gap_db == pytest.approx(0.5)
    assert "0.90" in proxy_check.printed([found])
    proxy_check.plot(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
