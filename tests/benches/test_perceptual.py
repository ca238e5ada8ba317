"""LPIPS-sq and DISTS-vgg of a clip, with networks of random weights."""

import pytest

torch = pytest.importorskip("torch")

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from benches import BenchUsageError
from benches.perceptual import Perceptual, rgb_tensor
from engines.evaluation.perceptual import SQUEEZENET_FILE, VGG_FILE, DistsVgg, LpipsSq
from engines.evaluation.sampling import spread
from engines.frame import Planes

FIRES = {
    3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
    9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip  # in, squeezed, expanded
VGG = {"0": (3, 3, 1), "2": (3, 64, 3), "5": (64, 64, 3), "9": (64, 128, 3), "12": (128, 128, 3)}


def conv(inside: int, outside: int, side: int) -> torch.Tensor:
    return torch.randn(outside, inside, side, side) * (2 / (inside * side * side)) ** 0.5


@pytest.fixture(autouse=True)
def _single_thread() -> Iterator[None]:
    """Torch's own threads wait for one another where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    squeezenet = {"features.0": conv(3, 64, 3)}
    for index, (inside, squeezed, expanded) in FIRES.items():
        squeezenet[f"features.{index}.squeeze"] = conv(inside, squeezed, 1)
        squeezenet[f"features.{index}.expand1x1"] = conv(squeezed, expanded, 1)
        squeezenet[f"features.{index}.expand3x3"] = conv(squeezed, expanded, 3)
    vgg = {name: conv(*shape) for name, shape in {**VGG, "16": (128, 256, 3)}.items()}
    for layers, file in ((squeezenet, SQUEEZENET_FILE), (vgg, VGG_FILE)):
        tensors = {f"{name}.weight": weight for name, weight in layers.items()}
        tensors |= {f"{name}.bias": torch.zeros(len(weight)) for name, weight in layers.items()}
        save_file(tensors, tmp_path / file)
    return tmp_path


def pictures(seed: int, count: int, width: int = 64, height: int = 48) -> list[Planes]:
    random = np.random.default_rng(seed)
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    return [
        Planes(random.integers(30, 200, (height, width)).astype(np.uint8), chroma, chroma)
        for _ in range(count)
    ]


def test_clip_has_the_means_of_the_networks_own_values_over_the_sample(weights):
    test, reference = pictures(1, 6), pictures(2, 6)
    perceptual = Perceptual(weights, 2)
    assert perceptual.frames_of(6) == 2
    rgb = [
        [rgb_tensor(clip[n], torch.device("cpu")) for n in spread(6, 2)]
        for clip in (test, reference)
    ]
    for _ in range(2):  # the second time from what was kept
        found = perceptual.measure(test, reference)
        for name, network in (("lpips_sq", LpipsSq(weights)), ("dists_vgg", DistsVgg(weights))):
            expected = np.mean([float(network(a, b)) for a, b in zip(*rgb, strict=True)])
            assert found[name] == pytest.approx(expected, rel=1e-4)


def test_another_reference_is_looked_at_anew(weights):
    perceptual = Perceptual(weights, 1)
    first, second = pictures(1, 2), pictures(2, 2)
    assert perceptual.measure(first, second)["lpips_sq"] > 0.01
    assert perceptual.measure(first, first)["lpips_sq"] < 1e-5


class Pixels:
    """In place of a network: the pictures themselves."""

    def features(self, rgb):
        return [rgb]

    def between(self, a, b):
        return (a[0] - b[0]).abs().mean()


def test_large_pictures_share_their_tiles_out_between_the_frames(weights, monkeypatch):
    reference = pictures(1, 2, 1200, 480)  # five tiles by two
    test = [Planes(p.y.copy(), p.u, p.v) for p in reference]
    test[1].y[:240, :240] = 0  # the first tile is looked at in the first frame only
    perceptual = Perceptual(weights, 2)
    monkeypatch.setattr(perceptual, "_lpips", Pixels())
    monkeypatch.setattr(perceptual, "_dists", Pixels())
    assert perceptual.measure(test, reference)["dists_vgg"] == pytest.approx(0, abs=1e-3)
    test[1].y[:240, 240:480] = 0
    assert perceptual.measure(test, reference)["dists_vgg"] > 0.01


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(BenchUsageError, match=VGG_FILE):
        Perceptual(tmp_path, 2)
