"""Training steps as CUDA graphs.

At the sizes of our networks a GPU waits for its kernels to be launched, one by one, for longer
than it computes. A graph launches a whole step at once: forward, backward and optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import torch
from torch import Tensor

from engines.training.batches import Batch

WARM_UP_STEPS = 3  # of each kind of batch, launched one by one: libraries choose their kernels
AHEAD_BATCHES = 2

Step = Callable[[Batch], Mapping[str, Tensor]]
Kind = tuple[int, torch.Size]  # scale, and shape of the source's luma


class GraphedStep:
    """A step on a GPU: the first ones of each kind of batch as they are, then by graph.

    Every step does the same for every batch of a kind: no copy from the host, no wait, no decision
    by values. What it returns is overwritten by the next step of that kind.
    """

    def __init__(self, step: Step, quiet: Lock) -> None:
        self._step, self._quiet = step, quiet
        self._seen: dict[Kind, int] = {}
        self._graphs: dict[Kind, tuple[torch.cuda.CUDAGraph, Batch, Mapping[str, Tensor]]] = {}
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch) -> Mapping[str, Tensor]:
        kind = (batch.scale, batch.source[0].shape)
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        if seen <= WARM_UP_STEPS:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                figures = self._step(batch)
            torch.cuda.current_stream().wait_stream(self._stream)
            return figures
        if kind not in self._graphs:
            self._graphs[kind] = self._captured(batch)
        graph, held, figures = self._graphs[kind]
        for into, tensor in zip(held.tensors(), batch.tensors(), strict=True):
            into.copy_(tensor)
        graph.replay()
        return figures

    def _captured(self, batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Mapping[str, Tensor]]:
        """The step on copies of this batch, recorded and not done."""
        held = batch.of([tensor.clone() for tensor in batch.tensors()])
        graph = torch.cuda.CUDAGraph()
        with self._quiet:
            torch.cuda.synchronize()
            with torch.cuda.graph(graph):
                figures = self._step(held)
        return graph, held, figures


class Ahead:
    """Batches made by a thread on a CUDA stream of its own, while the network learns from others.

    Nothing of it is launched while `quiet` is held.
    """

    def __init__(self, batches: Callable[[], Batch]) -> None:
        self.quiet = Lock()
        self._batches = batches
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._thread = ThreadPoolExecutor(1)
        self._coming: list[Future[Batch]] = []

    def next(self) -> Batch:
        while len(self._coming) <= AHEAD_BATCHES:
            self._coming.append(self._thread.submit(self._made))
        batch = self._coming.pop(0).result()
        for tensor in batch.tensors():
            tensor.record_stream(torch.cuda.current_stream())
        return batch

    def _made(self) -> Batch:
        with self.quiet, torch.cuda.stream(self._stream):
            batch = self._batches()
            self._stream.synchronize()
        return batch
