"""Separable reduction beside the same kernel as one convolution."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (make setup-train)")

import torch.nn.functional as F

from engines.networks.reduction import BLOCK, SeparableReduction
from engines.networks.tinyae import lanczos_kernel, lanczos_line


@pytest.mark.parametrize(("kept", "patch"), [(1, 2), (2, 3)])
@pytest.mark.parametrize("patches", [(1, 1), (5, BLOCK), (8, 3 * BLOCK + 1)])
def test_it_is_one_convolution_with_the_border_repeated(
    kept: int, patch: int, patches: tuple[int, int]
) -> None:
    size = patches[0] * patch, patches[1] * patch
    plane = 255 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(3))
    kernel, line = lanczos_kernel(kept, patch), lanczos_line(kept, patch)
    reach = kernel.shape[2] // 2 * patch
    folded = F.pixel_unshuffle(F.pad(plane, (reach,) * 4, mode="replicate"), patch)
    expected = F.pixel_shuffle(F.conv2d(folded, kernel), kept)
    got = SeparableReduction(line, line, patch)(plane)
    assert got.shape == (2, 1, patches[0] * kept, patches[1] * kept)
    assert (got - expected).abs().max() < 1e-3


def test_lines_and_columns_are_not_mistaken_for_each_other() -> None:
    mean, first = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]])
    plane = torch.tensor([[1.0, 3.0], [10.0, 30.0]])[None, None]
    assert SeparableReduction(mean, first, 2)(plane).item() == 2.0
    assert SeparableReduction(first, mean, 2)(plane).item() == 5.5
