"""One picture a run: what each end takes, pictures and latency, over time or reconnects."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.soak.report import Result

COLOURS = {"streamer": "tab:blue", "viewer": "tab:orange"}
COUNTS = {"files": "-", "threads": "--", "tasks": ":"}


def plot(result: Result, path: Path) -> None:
    """A row each: memory, counts, pictures, latency."""
    figure, rows = plt.subplots(4, 1, figsize=(9, 9), sharex=True)
    memory, counts, pictures, latency = rows
    for end, samples in result.samples.items():
        colour, at = COLOURS[end], [sample.at for sample in samples]
        memory.plot(at, [s.memory_mib for s in samples], ".-", ms=2, lw=1, color=colour, label=end)
        for name, style in COUNTS.items():
            values = [getattr(sample, name) for sample in samples]
            counts.plot(at, values, style, color=colour, label=f"{name}, {end}")
        shown = [(b.at, (b.frames - a.frames) / (b.at - a.at)) for a, b in pairwise(samples)]
        pictures.plot(*zip(*shown, strict=True), lw=1, color=colour) if shown else None
        told = [(s.at, s.latency_ms) for s in samples if s.latency_ms is not None]
        latency.plot(*zip(*told, strict=True), lw=1, color=colour) if told else None
    for axis, label in zip(
        rows,
        ("memory, MiB", "", f"pictures per {result.unit}", "latency p95, ms"),
        strict=True,
    ):
        axis.set_ylabel(label)
        axis.axvspan(0, result.warm_up, color="0.92")
        axis.grid(alpha=0.3)
    memory.legend(loc="upper left", fontsize="small")
    counts.legend(loc="upper left", fontsize="small", ncols=2)
    latency.set_ylim(bottom=0)
    latency.set_xlabel(result.unit)
    figure.suptitle(result.title)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
