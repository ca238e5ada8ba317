"""One network of the codec at every scale that is asked for, loaded at first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from engines.runtimes import Runtime
from engines.runtimes.onnx import OnnxRuntime
from engines.weight_store import Task, WeightStore

RuntimeMaker: TypeAlias = Callable[[WeightStore, int], Runtime]  # store, threads


class Half:
    """What the two halves of the codec share; `reason` says why there is no network, if so."""

    def __init__(
        self,
        network: str,
        store: WeightStore | None,
        threads: int,
        reason: str = "",
        task: Task = Task.RUN,
    ) -> None:
        self.reason = reason
        self._network, self._store, self._threads, self._task = network, store, threads, task
        self._make_runtime: RuntimeMaker = OnnxRuntime
        self._runtimes: dict[int, Runtime] = {}

    def run_on(self, runtime: RuntimeMaker) -> None:
        """Run the network on another runtime than ONNX Runtime from now on."""
        for loaded in self._runtimes.values():
            loaded.close()
        self._make_runtime, self._runtimes = runtime, {}

    def _runtime(self, scale: int) -> Runtime:
        if scale not in self._runtimes:
            assert self._store is not None
            runtime = self._make_runtime(self._store, self._threads)
            runtime.load(self._network, scale, self._task)
            self._runtimes[scale] = runtime
        return self._runtimes[scale]
