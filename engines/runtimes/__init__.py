"""What runs a network, behind one protocol: `load, warm_up, run, close`.

    onnx.py    ONNX Runtime, the default everywhere
    torch.py   the reference, for tests and training; the only file here that imports torch

A network is named by its half and its scale; graphs and weights come from
`engines.weight_store`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

from engines.weight_store import Task

Array = npt.NDArray[Any]
WARM_UP_RUNS = 2


class Runtime(Protocol):
    """Runs one half of the codec at one scale."""

    def load(self, network: str, scale: int, task: Task = Task.RUN) -> None:
        """Make ready: `network` is `tinyae-encoder` or a restorer. Raises WeightsError."""

    def warm_up(self, inputs: Mapping[str, Array]) -> float:
        """Run until the time settles; the last run's milliseconds."""
        for _ in range(WARM_UP_RUNS):
            started = time.perf_counter()
            self.run(inputs)
        return (time.perf_counter() - started) * 1000

    def run(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        """The planes (N, 1, H, W) and twice (N, 1, H / 2, W / 2) that come out.

        Of a fit, its sums: (GUIDE_SIZE, GUIDE_SIZE) and (GUIDE_SIZE,).
        """

    def close(self) -> None:
        """Let go of what `load` took."""
