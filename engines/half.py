"""One network of the codec at every scale that is asked for, loaded at first use."""

from __future__ import annotations

from engines.runtimes import Runtime
from engines.runtimes.onnx import OnnxRuntime
from engines.weight_store import Task, WeightStore


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
        self._runtimes: dict[int, Runtime] = {}

    def _runtime(self, scale: int) -> Runtime:
        if scale not in self._runtimes:
            assert self._store is not None
            runtime = OnnxRuntime(self._store, self._threads)
            runtime.load(self._network, scale, self._task)
            self._runtimes[scale] = runtime
        return self._runtimes[scale]
