"""Peak memory of a network, which runs in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass

import numpy as np

from benches.demo.processes import peak_mib
from benches.timing.runtimes import open_runtimes
from benches.timing.stages import BITS, NO_RUNTIME, THREADS, Setting
from engines.codec import LatentEncoder, open_encoder, open_restorer
from engines.frame import Frame, Planes

RUNS = 3


@dataclass(frozen=True)
class NetworkMemory:
    """Peak resident MiB of a process that does nothing else; None where the system is silent."""

    encode_mib: float | None
    restore_mib: dict[int, float | None]  # by batch


def network_memory(setting: Setting, runtime: str) -> NetworkMemory:
    """Of both networks on one runtime."""
    return NetworkMemory(
        _in_its_own_process(setting, runtime, 0),
        {batch: _in_its_own_process(setting, runtime, batch) for batch in setting.batches},
    )


def _in_its_own_process(setting: Setting, runtime: str, batch: int) -> float | None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (setting, runtime, batch)) or None


def _run(setting: Setting, runtime: str, batch: int) -> float:
    """Encode, or with a batch restore, a picture of noise; this process's peak in MiB."""
    makers, _ = open_runtimes(() if runtime == NO_RUNTIME else (runtime,))
    encoder = open_encoder(setting.engine, threads=THREADS)
    restorer = open_restorer(setting.engine, encoder.network_id, threads=THREADS)
    for make in makers.values():
        encoder.run_on(make)
        restorer.run_on(make)
    frame, scale = _noise(setting.width, setting.height), setting.first_scale
    if not batch:
        for _ in range(RUNS):
            encoder.encode(frame, scale=scale, bits=BITS)
        return peak_mib(os.getpid())
    small = LatentEncoder(None, THREADS).encode(frame, scale=scale, bits=BITS)
    for _ in range(RUNS):
        restorer.restore([small] * batch)
    return peak_mib(os.getpid())


def _noise(width: int, height: int) -> Frame:
    random = np.random.default_rng(1)
    half = (height + 1) // 2, (width + 1) // 2
    y, u, v = (random.integers(16, 236, shape, np.uint8) for shape in ((height, width), half, half))
    return Frame(Planes(y, u, v), 0, 0)
