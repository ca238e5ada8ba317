"""The runtimes of the networks (`engines.runtimes`) that this machine has."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from benches import BenchUsageError
from engines.half import RuntimeMaker

RUNTIMES = {
    "onnx": ("engines.runtimes.onnx", "OnnxRuntime"),
    "torch": ("engines.runtimes.torch", "TorchRuntime"),
}


def open_runtimes(names: Sequence[str]) -> tuple[dict[str, RuntimeMaker], list[str]]:
    """What makes each runtime that is here, and one sentence for each that is not.

    Raises BenchUsageError for a name that is no runtime's.
    """
    # torch's threads would spin for milliseconds after their work, into other stages' CPU time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    makers, missing = dict[str, RuntimeMaker](), list[str]()
    for name in names:
        if name not in RUNTIMES:
            raise BenchUsageError(f"unknown runtime {name!r}; known: {', '.join(RUNTIMES)}")
        module, runtime = RUNTIMES[name]
        try:
            makers[name] = getattr(importlib.import_module(module), runtime)
        except ImportError as error:
            missing.append(f"runtime {name} is left out: not on this machine ({error})")
    return makers, missing
