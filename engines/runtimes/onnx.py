"""ONNX Runtime: the default on every device."""

from __future__ import annotations

from collections.abc import Mapping

import onnxruntime

from engines.errors import WeightsError
from engines.runtimes import Array, Runtime
from engines.weight_store import Task, WeightStore

ERRORS_ONLY = 3
VERSION = f"onnxruntime {onnxruntime.__version__}"


class OnnxRuntime(Runtime):
    """One graph in an ONNX Runtime session on the CPU."""

    def __init__(self, store: WeightStore, threads: int) -> None:
        self._store = store
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = ERRORS_ONLY
        # waiting threads must not spin: capture, carrier and network share the cores
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: onnxruntime.InferenceSession | None = None

    def load(self, network: str, scale: int, task: Task = Task.RUN) -> None:
        path = self._store.graph(network, scale, task)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), self._options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class of their own
            raise WeightsError(f"ONNX Runtime cannot load {path.name}: {error}") from error

    def run(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        assert self._session is not None, "load comes first"
        return tuple(self._session.run(None, dict(inputs)))

    def close(self) -> None:
        self._session = None
