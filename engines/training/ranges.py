"""The ranges of a viewer's quantized convolutions, from what they see on training streams.

    .venv/bin/python -m engines.training.ranges START DATA RUN.pt [--preset lite]

START is a checkpoint or the folder of installed weights, DATA training clips and streams. RUN.pt
is for `train streams ... --start-from RUN.pt`, which then learns with the rounding in place: the
weights as they were lose up to a tenth of a decibel by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from engines.errors import WeightsError
from engines.networks.pipeline import ViewerHalf
from engines.networks.presets import PRESETS, build_viewer
from engines.networks.quantized import ACTIVATION_MAX, QuantizedConv2d, Range, grid_of
from engines.training.batches import CPU, StreamBatches
from engines.training.checkpoint import load_part, stored_state

CROP, CROPS, BATCHES = 192, 4, 60
SAMPLES = 60_000  # of each batch, input and output
SHRINKS = 40  # ranges that are tried


def fit_ranges(viewer: ViewerHalf, data: Path, batches: int = BATCHES) -> None:
    """Give each quantized convolution the ranges whose rounding costs the least squared error."""
    seen: dict[QuantizedConv2d, tuple[list[Tensor], list[Tensor]]] = {}

    def look(layer: torch.nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(layer, QuantizedConv2d)
        if not layer.exact:  # scale 1 stays in floats
            for kept, values in zip(
                seen.setdefault(layer, ([], [])), (*inputs, output), strict=True
            ):
                kept.append(_some(values))

    layers = [m for m in viewer.modules() if isinstance(m, QuantizedConv2d)]
    for layer in layers:
        layer.set_ranges((0.0, 0.0), (0.0, 0.0))
    hooks = [layer.register_forward_hook(look) for layer in layers]
    streams = StreamBatches(data, CROP, CROPS, seed=1)
    torch.manual_seed(1)
    with torch.inference_mode():
        for _ in tqdm(range(batches), desc="ranges", unit="batch"):
            batch = streams.next()
            assert batch.latent is not None
            assert batch.condition is not None
            viewer.unguided(*batch.latent, batch.condition, batch.scale)
    for hook in hooks:
        hook.remove()
    for layer, (inputs, outputs) in seen.items():
        layer.set_ranges(best_range(torch.cat(inputs)), best_range(torch.cat(outputs)))


def best_range(values: Tensor) -> Range:
    """The part of the values' range, around zero, that costs the least when it is rounded."""
    least, greatest = min(values.min().item(), 0.0), max(values.max().item(), 0.0)
    tried = []
    for shrink in range(1, SHRINKS + 1):
        part = (least * shrink / SHRINKS, greatest * shrink / SHRINKS)
        if part[0] == part[1]:
            continue
        rounded = torch.fake_quantize_per_tensor_affine(values, *grid_of(part), 0, ACTIVATION_MAX)
        tried.append(((rounded - values).square().mean().item(), part))
    return min(tried, default=(0.0, (0.0, 1.0)))[1]


def _some(values: Tensor) -> Tensor:
    return values.flatten()[torch.randint(values.numel(), (SAMPLES,))]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("start", type=Path, help="checkpoint, or folder of installed weights")
    parser.add_argument("data", type=Path, help="training clips and streams")
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", choices=tuple(PRESETS), default="lite")
    args = parser.parse_args(arguments)
    viewer = build_viewer(args.preset).eval()
    try:
        state = stored_state(args.start, args.preset, CPU)
        load_part(viewer, state, "viewer", args.start, optional="_range")  # it may have none yet
    except WeightsError as error:
        parser.error(str(error))
    fit_ranges(viewer, args.data)
    torch.save(
        {"streamer": state["streamer"], "viewer": viewer.state_dict(), "preset": args.preset},
        args.out,
    )


if __name__ == "__main__":
    main()
