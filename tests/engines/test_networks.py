"""The torch networks: sizes, geometry, and that the graphs say the same."""

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

torch = pytest.importorskip("torch", reason="torch is not installed (make setup-train)")

import torch.nn.functional as F
from installed_viewer import installed_viewer
from torch.utils.flop_counter import FlopCounterMode

from engines.codebook import Codebook
from engines.codec import PLAIN, open_restorer
from engines.condition import CONDITION_SIZE, QP_KNOTS, condition_vector
from engines.frame import Planes, planes_from_video_frame, resized
from engines.guide import GUIDE_SIZE
from engines.latent import SCALES, Latent, latent_size, padded_size
from engines.networks.downscale import patch_downscale
from engines.networks.graphs import (
    FIT_CONTRAST_MAX,
    FIT_INPUTS,
    VIEWER_INPUTS,
    FitGraph,
    StreamerGraph,
    ViewerGraph,
    raised,
)
from engines.networks.guidance import Guidance
from engines.networks.pipeline import source_on_half, unfolded_planes
from engines.networks.presets import PRESETS, build_streamer, build_viewer
from engines.networks.tinyae import filtered, lanczos_kernel
from engines.runtimes.onnx import OnnxRuntime
from engines.runtimes.torch import TorchRuntime
from engines.weight_store import ENCODER, NO_NETWORK, Task, WeightStore

ROUNDED_APART = 0.9  # two ways to round, at most, of what rounding costs
PARAMETERS = {"720p": 10.8e6, "1080p": 15.9e6, "1440p": 17.5e6}


def planes(width: int, height: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return tuple(
        torch.randint(0, 256, (1, 1, *s), generator=generator, dtype=torch.uint8) for s in shapes
    )


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_dcp_unet_has_the_paper_s_size(name: str) -> None:
    assert parameters(build_viewer(name).unet) == pytest.approx(PARAMETERS[name], rel=0.03)


@pytest.mark.parametrize("name", PRESETS)
def test_tinyae_stays_tiny(name: str) -> None:
    assert parameters(build_streamer()) + parameters(build_viewer(name).decoder) < 0.7e6


def test_cost_per_source_pixel_stays_within_its_bounds() -> None:
    pixels = 640 * 384
    small = [torch.zeros(1, 1, *s) for s in ((192, 320), (96, 160), (96, 160))]
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            build_streamer()(*planes(640, 384), 2)
        assert counter.get_total_flops() / 2 / pixels <= 5_000
        for carried, scale in ((small, 2), (planes(640, 384), 1)):
            with FlopCounterMode(display=False) as counter:
                build_viewer("lite")(*carried, torch.zeros(1, CONDITION_SIZE), scale)
            assert counter.get_total_flops() / 2 / pixels <= 14_000


@pytest.mark.parametrize("name", WeightStore().restorers)
def test_the_manifest_tells_what_a_network_computes(name: str) -> None:
    """`auto` predicts times from it."""
    small = [torch.zeros(1, 1, *s) for s in ((360, 640), (180, 320), (180, 320))]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        build_viewer(name)(*small, torch.zeros(1, CONDITION_SIZE), 2)
    kmacs = counter.get_total_flops() / 2 / (1280 * 720) / 1e3
    assert WeightStore().kmacs_per_pixel(name) == pytest.approx(kmacs, rel=0.02)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_untrained_encoder_sends_the_lanczos_reduction_a_little_raised(scale: int) -> None:
    source = photograph(240, 192)
    with torch.inference_mode():
        small = [p[0, 0].numpy() for p in build_streamer()(*source, scale)]
    carried, size = Planes(*(p[0, 0].numpy() for p in source)), (240 // scale, 192 // scale)
    lanczos = resized(carried, size, Interpolation.LANCZOS)
    area = resized(carried, size, Interpolation.AREA)
    inside = (slice(4, -4), slice(4, -4))
    assert np.abs(small[0] - lanczos.y)[inside].mean() < 3
    assert np.abs(small[1] - lanczos.u).mean() < 2
    sharpness = [
        np.abs(np.diff(p[inside].astype(float))).mean() for p in (area.y, lanczos.y, small[0])
    ]
    assert sharpness[0] < sharpness[1] < sharpness[2] < 1.2 * sharpness[1]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_streamer_s_graph_leaves_out_what_comes_to_zero_and_nothing_else(scale: int) -> None:
    source, network = photograph(240, 192), build_streamer()
    graph = StreamerGraph(network, scale)
    with FlopCounterMode(display=False) as lean, torch.inference_mode():
        sent = graph(*source)
    with FlopCounterMode(display=False) as whole, torch.inference_mode():
        expected = network(*source, scale)
    for ours, theirs in zip(sent, expected, strict=True):
        assert (ours - theirs).abs().max() < 0.01
    assert lean.get_total_flops() < 0.25 * whole.get_total_flops()
    with torch.no_grad():
        network.encoder.head.weight[0, 0, 1, 1] = 0.01
        learned = network(*source, scale)
        assert not torch.equal(learned[0], expected[0])
        assert torch.equal(StreamerGraph(network, scale)(*source)[0], learned[0])
        network.encoder.head.weight.zero_()
        network.encoder.reduce[0, 0, 3, 3] += 0.01  # no product of two any more
        odd = network(*source, scale)
        assert torch.equal(StreamerGraph(network, scale)(*source)[0], odd[0])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_untrained_viewer_shows_the_lanczos_enlargement(scale: int) -> None:
    y, u, v = photograph(240, 192)
    small = [F.interpolate(p.float(), scale_factor=1 / scale, mode="area") for p in (y, u, v)]
    shown = unfolded_planes(build_viewer("lite")(*small, torch.zeros(1, CONDITION_SIZE), scale))
    carried = Planes(*(p[0, 0].round().byte().numpy() for p in small))
    latent = Latent(carried, 240, 192, scale, Codebook.uniform(8), 30.0, 1, 2)
    enlarged = open_restorer(PLAIN, NO_NETWORK, threads=1).restore([latent])[0].planes
    # swscale rounds its filters; at scales 3 and 4 we enlarge in two steps
    ours, theirs = (shown[0] * 255)[0, 0], torch.from_numpy(enlarged.y.astype(np.float32))
    inside = (slice(12, -12), slice(12, -12))
    assert (ours - theirs)[inside].abs().mean() < (0.6 if scale == 2 else 1.5)
    assert (shown[1][0, 0] * 255 - torch.from_numpy(enlarged.u.astype(np.float32))).abs().mean() < 2


@pytest.mark.parametrize("size", [(96, 64), (70, 66)])
def test_untrained_viewer_shows_a_picture_of_full_size_as_it_came(size: tuple[int, int]) -> None:
    carried = planes(*size)
    restored = build_viewer("lite")(*carried, torch.zeros(1, CONDITION_SIZE), 1)
    for got, want in zip(unfolded_planes(restored * 255), carried, strict=True):
        assert torch.allclose(got, want.float(), atol=1e-2)


def test_folded_pictures_and_planes_are_inverses() -> None:
    y, u, v = planes(64, 48)
    for got, want in zip(unfolded_planes(source_on_half(y, u, v)), (y, u, v), strict=True):
        assert torch.equal((got * 255).round(), want.float())


@pytest.mark.parametrize(("ratio", "fold"), [(2, 1), (3, 2)])
def test_enlargement_kernels_are_lanczos(ratio: int, fold: int) -> None:
    """A slow wave becomes the same wave on finer samples; linear interpolation is worse."""
    sides = 24, 24 * ratio // fold
    small = (torch.arange(sides[0]) + 0.5) * ratio / fold - 0.5
    big = torch.arange(float(sides[1]))
    wave, expected = (torch.sin(at[:, None] / 3) * torch.cos(at[None] / 4) for at in (small, big))
    folded = F.pixel_unshuffle(wave[None, None], fold)
    enlarged = F.pixel_shuffle(filtered(folded, lanczos_kernel(ratio, fold)), ratio)[0, 0]
    linear = F.interpolate(wave[None, None], scale_factor=ratio / fold, mode="bilinear")[0, 0]
    inside = (slice(8, -8), slice(8, -8))
    assert enlarged.shape == expected.shape
    error = (enlarged - expected)[inside].abs().max()
    assert error < 0.02
    assert error < (linear - expected)[inside].abs().max() / 2


@pytest.mark.parametrize("scale", [3, 4])
def test_patch_downscale_keeps_flat_and_sloping_pictures(scale: int) -> None:
    flat = torch.full((1, 1, 24, 24), 7.0)
    assert torch.allclose(
        patch_downscale(flat, scale),
        torch.full((1, 1, 48 // scale, 48 // scale), 7.0),
    )
    slope = torch.arange(24.0).repeat(24, 1)[None, None]
    small = patch_downscale(slope, scale)[0, 0]
    ratio = scale / 2
    centres = (torch.arange(48 // scale) + 0.5) * ratio - 0.5
    assert small.shape == (48 // scale, 48 // scale)
    assert torch.allclose(small[5, 2:-2], centres[2:-2], atol=0.3)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", [(64, 64), (200, 112)])
def test_every_preset_takes_any_size(name: str, size: tuple[int, int]) -> None:
    network = build_viewer(name)
    for scale in SCALES:
        width, height = latent_size(*size, scale)
        small = [torch.zeros(1, 1, height // part, width // part) for part in (1, 2, 2)]
        with torch.inference_mode():
            restored = network(*small, torch.zeros(1, CONDITION_SIZE), scale)
        padded = padded_size(*size, scale)
        assert restored.shape == (1, 6, padded[1] // 2, padded[0] // 2)


def test_condition_lies_between_learned_levels() -> None:
    vector = condition_vector(28, 3, 6, 0.25)
    assert vector.sum() == pytest.approx(3.25)
    assert vector[-1] == 0.25
    at = QP_KNOTS.index(26)
    assert vector[at] == pytest.approx(0.5)
    assert vector[at + 1] == pytest.approx(0.5)
    assert np.array_equal(condition_vector(5, 2, 8), condition_vector(12, 2, 8))
    assert np.array_equal(condition_vector(51, 2, 8), condition_vector(50, 2, 8))


def photograph(width: int, height: int) -> tuple[torch.Tensor, ...]:
    """Real texture: the bundled astronaut, as planes."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    with av.open(str(Path(spec.origin).parent / "data" / "astronaut.png")) as container:
        picture = planes_from_video_frame(next(container.decode(video=0)), (width, height))
    return tuple(torch.from_numpy(p.copy())[None, None] for p in picture.channels)


def off(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference."""
    return float(np.abs(a.astype(float) - b).mean())


def told(scale: int) -> dict[str, np.ndarray]:
    """What restorers take beside the latent."""
    guide = np.random.default_rng(1).normal(0, 0.02, (1, GUIDE_SIZE)).astype(np.float32)
    return {"condition": condition_vector(33, scale, 8)[None], "guide": guide}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(96, 48), (240, 192), (432, 240)])
@pytest.mark.parametrize("picture", [planes, photograph])
def test_graphs_and_torch_agree(scale: int, size: tuple[int, int], picture) -> None:  # type: ignore[no-untyped-def]
    store = WeightStore()
    source = {n: p.numpy() for n, p in zip("yuv", picture(*size), strict=True)}
    if scale == 1:
        source = {n: p.astype(np.float32) for n, p in source.items()}
        source |= told(scale)
    encoders = () if scale == 1 else (ENCODER,)
    for network in (*encoders, *store.restorers):
        outputs = []
        for runtime in (OnnxRuntime(store, 2), TorchRuntime(store, 2)):
            runtime.load(network, scale)
            assert runtime.warm_up(source) > 0
            outputs.append(runtime.run(source))
            runtime.close()
        if network == ENCODER:  # float, 0..255: within 1e-3 of full scale
            for a, b in zip(*outputs, strict=True):
                assert np.abs(a - b).max() / 255 <= 1e-3
            source = dict(zip("yuv", outputs[0], strict=True))
            source |= told(scale)
        elif scale > 1 and PRESETS[network].unet.quantized:
            told_all = (torch.from_numpy(source[name]) for name in VIEWER_INPUTS)
            with torch.inference_mode():
                exact = ViewerGraph(installed_viewer(store, network, exact=True), scale)(*told_all)
            for a, b, c in zip(*outputs, exact, strict=True):  # neither rounds as the other does
                assert off(a, b) <= ROUNDED_APART * off(b, c.numpy())
        else:  # uint8: the same but for values that lie on a rounding border
            for a, b in zip(*outputs, strict=True):
                assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
                assert np.mean(a != b) < 1e-3


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(96, 48), (240, 192)])
def test_fits_agree_in_graph_and_torch(scale: int, size: tuple[int, int]) -> None:
    store = WeightStore()
    y, u, v = (p.numpy() for p in photograph(*size))
    small = [p[..., ::scale, ::scale].astype(np.float32) for p in (y, u, v)]
    source = dict(zip("yuv", small, strict=True)) | {"condition": told(scale)["condition"]}
    source["source_y"] = y
    sums = []
    for runtime in (OnnxRuntime(store, 2), TorchRuntime(store, 2)):
        runtime.load(store.restorers[0], scale, Task.FIT)
        sums.append(runtime.run(source))
    rounded = scale > 1 and PRESETS[store.restorers[0]].unet.quantized
    if rounded:
        viewer = installed_viewer(store, store.restorers[0], exact=True)
        with torch.inference_mode():
            exact = FitGraph(viewer, scale)(*(torch.from_numpy(source[n]) for n in FIT_INPUTS))
        for a, b, c in zip(*sums, exact, strict=True):
            assert off(a, b) <= ROUNDED_APART * off(b, c.numpy())
        return
    for a, b in zip(*sums, strict=True):
        assert np.abs(a - b).max() <= 1e-3 * np.abs(b).max()


def test_a_guide_is_the_least_squares_of_its_directions() -> None:
    torch.manual_seed(4)
    guidance = Guidance(8)
    features = torch.randn(4, 8, 12, 10)
    wanted = torch.randn(2, GUIDE_SIZE).repeat_interleave(2, 0)
    error = guidance(features, wanted)
    assert torch.allclose(guidance.fit(features, error, 2), wanted, atol=2e-2)
    noisy = error + torch.randn_like(error)
    fitted = guidance.fit(features, noisy, 4)
    assert torch.equal(fitted[0], fitted[3])
    left = (noisy - guidance(features, fitted)).square().sum()
    for change in torch.eye(GUIDE_SIZE) * 0.05:
        assert left <= (noisy - guidance(features, fitted + change)).square().sum()


def test_a_fit_asks_for_a_part_of_the_contrast_that_is_lost() -> None:
    luma = photograph(240, 192)[0].float() / 255
    folded = F.pixel_unshuffle(luma, 2)
    assert torch.equal(raised(luma, folded), folded)
    shown = folded + 0.1 * torch.randn(folded.shape, generator=torch.Generator().manual_seed(1))
    detail = folded - F.pixel_unshuffle(F.avg_pool2d(luma, 9, 1, 4, count_include_pad=False), 2)
    assert torch.allclose(raised(luma, shown) - folded, FIT_CONTRAST_MAX * detail, atol=1e-6)
    little = raised(luma, folded + 0.002) - folded
    assert 0 < little.square().mean() < (0.1 * FIT_CONTRAST_MAX * detail).square().mean()
