"""torch: the reference that the graphs are checked against. Not imported by any daemon."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from safetensors.torch import load_file

from engines.networks.graphs import FitGraph, StreamerGraph, ViewerGraph
from engines.networks.presets import build_streamer, build_viewer
from engines.runtimes import Array, Runtime
from engines.weight_store import ENCODER, Task, WeightStore


class TorchRuntime(Runtime):
    """One half of the codec as a torch module on the CPU, in fp32."""

    def __init__(self, store: WeightStore, threads: int) -> None:
        self._store = store
        self._network: torch.nn.Module | None = None
        torch.set_num_threads(threads)

    def load(self, network: str, scale: int, task: Task = Task.RUN) -> None:
        weights = {k: v.float() for k, v in load_file(self._store.weights(network)).items()}
        if network == ENCODER:
            streamer = build_streamer()
            streamer.load_state_dict(weights)
            self._network = StreamerGraph(streamer, scale).eval()
        else:
            viewer = build_viewer(network)
            viewer.load_state_dict(weights)
            graph = FitGraph if task is Task.FIT else ViewerGraph
            self._network = graph(viewer, scale).eval()

    def run(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        assert self._network is not None, "load comes first"
        with torch.inference_mode():
            out = self._network(*(torch.from_numpy(np.asarray(x)) for x in inputs.values()))
        return tuple(tensor.numpy() for tensor in out)

    def close(self) -> None:
        self._network = None
