"""Checkpoints to what is installed: half-precision safetensors, ONNX graphs, manifest.

    .venv/bin/python -m engines.training.export RUN/streams.pt DATA --name lite
        [--encoder RUN/joint.pt] [--card card.json] [--out engines/weights]

DATA is a folder of training clips and their streams: a new encoder's codebooks are fitted on them,
and a restorer's guidance is scaled by them.

The weights are stored once, as fp16 in safetensors; the graphs refer to that very file as external
data (offset and length) and cast to fp32 when they are loaded. A new encoder makes every restorer
trained with another one useless, so those are dropped from the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from engines.codebook import BITS_MAX, BITS_MIN, Codebook, fit_levels
from engines.condition import CONDITION_SIZE
from engines.errors import WeightsError
from engines.guide import GUIDE_SIZE
from engines.latent import SCALES, padding_multiple
from engines.networks.graphs import (
    FIT_INPUTS,
    FIT_OUTPUTS,
    OUTPUTS,
    STREAMER_INPUTS,
    VIEWER_INPUTS,
    FitGraph,
    StreamerGraph,
    ViewerGraph,
)
from engines.networks.guidance import LUMA_PHASES
from engines.networks.pipeline import StreamerHalf, ViewerHalf
from engines.networks.presets import PRESETS, build_streamer, build_viewer
from engines.networks.tinyae import LATENT_SCALES
from engines.training.batches import CPU, StreamBatches
from engines.training.checkpoint import load_part, read_checkpoint
from engines.training.clips import unpack
from engines.weight_store import (
    ENCODER,
    MANIFEST,
    MANIFEST_VERSION,
    NETWORK_ID_BYTES,
    WEIGHTS_FOLDER,
    Task,
)

OPSET = 18
EXAMPLE_SIDE = 192  # pixels of the source; any size runs
CODEBOOK_CLIPS = 300
WHITEN_BATCHES, WHITEN_CROPS = 60, 4
WHITEN_FLOOR = 1e-5  # directions that hardly differ stay small


def export_network(name: str, network: nn.Module, folder: Path) -> dict[str, Any]:
    """Write NAME.safetensors and its graphs; the network's part of the manifest."""
    half = {k: v.detach().half().contiguous() for k, v in network.state_dict().items()}
    weights = folder / f"{name}.safetensors"
    save_file(half, weights)
    weights.chmod(0o644)
    network.load_state_dict({k: v.float() for k, v in half.items()})
    places = _tensor_places(weights)
    entry: dict[str, Any] = {"weights": {"file": weights.name, "sha256": _sha256(weights)}}
    for task in (Task.RUN,) if name == ENCODER else Task:
        graphs = entry[task.value] = {}
        for scale in LATENT_SCALES if name == ENCODER else SCALES:
            target = folder / f"{name}{'-fit' * (task is Task.FIT)}-x{scale}.onnx"
            model = _graph(name, network, scale, task)
            _refer_to(model, weights.name, places)
            onnx.save(model, str(target))
            graphs[str(scale)] = {"file": target.name, "sha256": _sha256(target)}
    return entry


def _graph(name: str, network: nn.Module, scale: int, task: Task) -> onnx.ModelProto:
    side = EXAMPLE_SIDE
    graph: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = OUTPUTS
    small = side // scale
    latent = [torch.zeros(2, 1, s, s) for s in (small, small // 2, small // 2)]
    condition = torch.zeros(2, CONDITION_SIZE)
    if name == ENCODER:
        graph, inputs = StreamerGraph(network, scale), STREAMER_INPUTS  # type: ignore[arg-type]
        example = [torch.zeros(1, 1, s, s, dtype=torch.uint8) for s in (side, side // 2, side // 2)]
    elif task is Task.FIT:
        graph, inputs = FitGraph(network, scale), FIT_INPUTS  # type: ignore[arg-type]
        example = [*latent, condition, torch.zeros(2, 1, side, side, dtype=torch.uint8)]
        outputs = FIT_OUTPUTS
    else:
        graph, inputs = ViewerGraph(network, scale), VIEWER_INPUTS  # type: ignore[arg-type]
        example = [*latent, condition, torch.zeros(2, GUIDE_SIZE)]
    assert side % padding_multiple(scale) == 0
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks on shapes it follows correctly
        torch.onnx.export(
            graph.eval(),
            tuple(example),
            buffer,  # type: ignore[arg-type]  # its annotation leaves file objects out
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={n: _free_axes(n) for n in (*inputs, *outputs) if n not in FIT_OUTPUTS},
        )
    return onnx.load_model_from_string(buffer.getvalue())


def _free_axes(name: str) -> dict[int, str]:
    plane = "y" if name.endswith("y") else "chroma"
    side = name.rpartition("_")[0] or "in"
    if name in ("condition", "guide"):
        return {0: "batch"}
    return {0: "batch", 2: f"{side}_{plane}_height", 3: f"{side}_{plane}_width"}


def _refer_to(
    model: onnx.ModelProto, location: str, places: dict[str, tuple[int, int, list[int]]]
) -> None:
    """Replace the weights by fp16 tensors in the safetensors file, each cast to fp32."""
    graph, casts, kept = model.graph, [], []
    for tensor in graph.initializer:
        name = tensor.name.removeprefix("network.")
        if name not in places:
            kept.append(tensor)
            continue
        offset, length, shape = places[name]
        assert list(tensor.dims) == shape, f"{name}: {list(tensor.dims)} in the graph, not {shape}"
        outside = TensorProto(
            name=f"{tensor.name}.fp16",
            data_type=TensorProto.FLOAT16,
            dims=shape,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            outside.external_data.add(key=key, value=str(value))
        kept.append(outside)
        casts.append(helper.make_node("Cast", [outside.name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _tensor_places(path: Path) -> dict[str, tuple[int, int, list[int]]]:
    """Offset in the file, length in bytes and shape of each tensor of a safetensors file."""
    data = path.read_bytes()
    (header_length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_length])
    header.pop("__metadata__", None)
    return {
        name: (8 + header_length + entry["data_offsets"][0],
               entry["data_offsets"][1] - entry["data_offsets"][0], entry["shape"])
        for name, entry in header.items()
    }  # fmt: skip


def fit_codebooks(streamer: nn.Module, data: Path) -> dict[str, str]:
    """k-means codebooks on latents of training clips, in their wire form.

    Not for 8 bits: there, uniform levels measured better (docs/decisions.md).
    """
    clips = np.load(data / "clips.npy", mmap_mode="r")[:CODEBOOK_CLIPS, 0]
    samples: list[list[Tensor]] = [[], [], []]
    with torch.inference_mode():
        for frame in clips:
            planes = [torch.from_numpy(c.copy())[None, None] for c in unpack(frame).channels]
            for kept, plane in zip(samples, streamer(*planes, 2), strict=True):
                kept.append(plane.flatten())
    values = [torch.cat(channel).numpy() for channel in samples]
    codebooks = {}
    for bits in range(BITS_MIN, BITS_MAX):
        y, u, v = (fit_levels(channel, bits) for channel in values)
        codebooks[str(bits)] = Codebook(bits, (y, u, v)).to_bytes().hex()
    return codebooks


def whiten_guidance(viewer: ViewerHalf, data: Path) -> None:
    """Mix the directions so that on training streams they are uncorrelated and of equal weight.

    What they can do together stays the same; guides become numbers that 8 bits hold, and that a
    fit can keep small.
    """
    batches = StreamBatches(data, EXAMPLE_SIDE, WHITEN_CROPS, seed=1)
    sums = torch.zeros(GUIDE_SIZE, GUIDE_SIZE, dtype=torch.float64)
    with torch.no_grad():
        for _ in tqdm(range(WHITEN_BATCHES), desc="guidance", unit="batch"):
            batch = batches.next()
            assert batch.latent is not None
            assert batch.condition is not None
            _, features = viewer.unguided(*batch.latent, batch.condition, batch.scale)
            nothing = torch.zeros_like(features[:, :LUMA_PHASES])
            normal, _ = viewer.guidance.equations(features, nothing)
            sums += normal.double().sum(0) / nothing[0].numel()
        mean = sums / (WHITEN_BATCHES * WHITEN_CROPS)
        mean += WHITEN_FLOOR * mean.diagonal().mean() * torch.eye(GUIDE_SIZE)
        directions = viewer.guidance.directions
        mixed = torch.linalg.solve_triangular(
            torch.linalg.cholesky(mean), directions.double().flatten(1), upper=False
        )
        directions.data = mixed.float().reshape(directions.shape)


def kmacs_per_pixel(viewer: ViewerHalf) -> float:
    """Thousands of multiplications per source pixel at 1280x720, scale 2."""
    width, height = 1280, 720
    small = [torch.zeros(1, 1, height // s, width // s) for s in (2, 4, 4)]
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        ViewerGraph(viewer, 2)(*small, torch.zeros(1, CONDITION_SIZE), torch.zeros(1, GUIDE_SIZE))
    return counter.get_total_flops() / 2 / (width * height) / 1e3


def _streamer(checkpoint: Path) -> StreamerHalf:
    streamer = build_streamer()
    load_part(streamer, read_checkpoint(checkpoint, CPU), "streamer", checkpoint)
    return streamer


def _viewer(checkpoint: Path) -> ViewerHalf:
    state = read_checkpoint(checkpoint, CPU)
    preset = state.get("preset")
    if preset not in PRESETS:
        raise WeightsError(f"{checkpoint} is of no preset that this version knows: {preset}")
    viewer = build_viewer(preset)
    load_part(viewer, state, "viewer", checkpoint)
    return viewer


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path, help="whose viewer's half is exported")
    parser.add_argument("data", type=Path, help="training clips and streams")
    parser.add_argument("--name", required=True, help="of the restorer: lite, 720p, ...")
    parser.add_argument("--encoder", type=Path, help="checkpoint of a new encoder")
    parser.add_argument("--card", type=Path, help="JSON kept in the manifest beside the network")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FOLDER)
    args = parser.parse_args(arguments)
    try:
        viewer = _viewer(args.checkpoint)
        streamer = _streamer(args.encoder) if args.encoder else None
    except WeightsError as error:
        parser.error(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    manifest = args.out / MANIFEST
    document: dict[str, Any] = {"version": MANIFEST_VERSION, "networks": {}}
    if manifest.exists():
        document = json.loads(manifest.read_text())
    networks = document["networks"]
    if streamer:
        entry = export_network(ENCODER, streamer, args.out)
        entry["codebooks"] = fit_codebooks(streamer, args.data)
        networks = {ENCODER: entry}
    partner = networks[ENCODER]["weights"]["sha256"][: 2 * NETWORK_ID_BYTES]
    whiten_guidance(viewer.eval(), args.data)
    entry = export_network(args.name, viewer, args.out) | {"partner": partner}
    entry["kmacs_per_pixel"] = round(kmacs_per_pixel(viewer), 1)
    if args.card:
        entry["card"] = json.loads(args.card.read_text())
    networks[args.name] = entry
    document["networks"] = networks
    manifest.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
