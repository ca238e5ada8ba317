"""8-bit convolutions: what their rounding costs, and that a CPU really computes in integers."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (make setup-train)")

import onnx
import torch.nn.functional as F
from installed_viewer import installed_viewer

from engines.condition import condition_vector
from engines.guide import GUIDE_SIZE
from engines.latent import SCALES
from engines.networks.graphs import ViewerGraph
from engines.networks.presets import PRESETS, build_viewer
from engines.networks.quantized import (
    ACTIVATION_MAX,
    WEIGHT_MAX,
    QuantizedConv2d,
    grid_of,
    set_exact,
)
from engines.runtimes.onnx import OnnxRuntime
from engines.training.ranges import best_range
from engines.weight_store import Task, WeightStore

QUANTIZED = [n for n in WeightStore().restorers if PRESETS[n].unet.quantized]


def layer(*, chained: bool = False, dilation: int = 1) -> QuantizedConv2d:
    torch.manual_seed(2)
    return QuantizedConv2d(8, 8, dilation, chained=chained)


def picture() -> torch.Tensor:
    return torch.randn(2, 8, 20, 24, generator=torch.Generator().manual_seed(5))


def exactly(conv: QuantizedConv2d, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=conv.padding, dilation=conv.dilation)


def test_two_products_fit_sixteen_bits() -> None:
    assert 2 * ACTIVATION_MAX * WEIGHT_MAX < 2**15


@pytest.mark.parametrize("dilation", [1, 2])
def test_without_ranges_and_where_asked_to_it_is_exact(dilation: int) -> None:
    conv, x = layer(dilation=dilation), picture()
    assert torch.equal(conv(x), exactly(conv, x))
    conv.set_ranges((-4.0, 4.0), (-4.0, 4.0))
    assert not torch.equal(conv(x), exactly(conv, x))
    set_exact(torch.nn.Sequential(conv), True)
    assert torch.equal(conv(x), exactly(conv, x))


@pytest.mark.parametrize("chained", [False, True])
def test_rounding_is_small_and_on_its_grid(chained: bool) -> None:
    conv, x = layer(chained=chained), picture()
    wanted = exactly(conv, x).detach()
    conv.set_ranges((-5.0, 5.0), (wanted.min().item(), wanted.max().item()))
    got = conv(x).detach()
    assert (got - wanted).square().mean() < 1e-3 * wanted.var()
    step, zero = grid_of((wanted.min().item(), wanted.max().item()))
    steps = got / step
    on_grid = bool((steps - steps.round()).abs().max() < 1e-3)
    assert on_grid is not chained
    assert 0 < zero < ACTIVATION_MAX


def test_what_lies_beyond_a_range_is_clipped_and_zero_stays_zero() -> None:
    conv = layer()
    conv.set_ranges((-1.0, 2.0), (-3.0, 3.0))
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 1] = torch.eye(8)
        conv.bias.zero_()
    x = torch.tensor([-9.0, -0.5, 0.0, 1.0, 9.0]).repeat(1, 8, 5, 1)
    out = conv(x)[0, 0, 0].tolist()
    assert out == pytest.approx([-1.0, -0.5, 0.0, 1.0, 2.0], abs=0.05)
    assert out[2] == 0


def test_gradients_pass_the_rounding() -> None:
    conv, x = layer(), picture().requires_grad_()
    conv.set_ranges((-5.0, 5.0), (-4.0, 4.0))
    conv(x).square().mean().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad.abs().min() > 0
    assert x.grad is not None
    assert x.grad.abs().mean() > 0


def test_ranges_travel_with_the_weights() -> None:
    conv, other, x = layer(), layer(), picture()
    conv.set_ranges((-5.0, 5.0), (-4.0, 4.0))
    assert torch.equal(other(x), exactly(other, x))
    other.load_state_dict(conv.state_dict())
    assert torch.equal(other(x), conv(x))


def test_a_range_leaves_lonely_values_out_and_holds_zero() -> None:
    values = torch.randn(400_000, generator=torch.Generator().manual_seed(1))
    values[0] = 12.0
    least, greatest = best_range(values)
    assert 4 < greatest < 10
    assert -6 < least < -2
    assert best_range(values.abs())[0] == 0
    assert best_range(torch.zeros(100)) == (0.0, 1.0)


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_graph_rounds_no_more_than_torch(name: str, scale: int) -> None:
    """Both round differently where a value lies between two steps, and neither by much."""
    store = WeightStore()
    rng = np.random.default_rng(3)
    soft = np.kron(rng.normal(128, 30, (1, 1, 12, 16)), np.ones((8, 8)))
    luma = np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255).astype(np.float32)
    chroma = np.full((1, 1, 48, 64), 128, np.float32)
    told = condition_vector(36, scale, 8)[None]
    inputs = {"y": luma, "u": chroma, "v": chroma, "condition": told}
    inputs["guide"] = np.zeros((1, GUIDE_SIZE), np.float32)
    runtime = OnnxRuntime(store, 1)
    runtime.load(name, scale)
    shown = [runtime.run(inputs)[0]]
    with torch.inference_mode():
        for is_exact in (False, True):
            graph = ViewerGraph(installed_viewer(store, name, exact=is_exact), scale)
            shown.append(graph(*(torch.from_numpy(x) for x in inputs.values()))[0].numpy())
    *rounded, exact = (picture.astype(float) for picture in shown)
    by_graph, by_torch = (np.square(picture - exact).mean() for picture in rounded)
    assert 0 < by_torch < 2
    assert by_graph < 1.2 * by_torch


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("scale", SCALES)
def test_onnx_runtime_computes_in_integers(
    name: str, task: Task, scale: int, tmp_path: Path
) -> None:
    """All of the quantized ones, at every scale but 1; otherwise the work was for nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    store = WeightStore()
    graph = str(store.graph(name, scale, task))
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    model = onnx.load(options.optimized_model_filepath, load_external_data=False)
    kinds = Counter(node.op_type for node in model.graph.node)
    layers = [m for m in build_viewer(name).modules() if isinstance(m, QuantizedConv2d)]
    assert kinds["QLinearConv"] == (0 if scale == 1 else len(layers))
