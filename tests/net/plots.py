"""One picture a scenario: rate, latency, queue and freezes over time, the peers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.net.flow import SLOT_US
from tests.net.measures import freezes
from tests.net.run import Run

SMOOTHED_SLOTS = 5  # of the rate: half a second
COLOURS = {"denc": "tab:blue", "aiortc": "tab:orange"}
DISTURBED = "0.88"
AXIS_MIN = {"kbit/s": 100.0, "latency, ms": 200.0, "queue, ms": 20.0}  # seen at least


def plot(runs: Sequence[Run], path: Path) -> None:
    """The runs of one scenario, a column a peer, into a PNG."""
    figure, grid = plt.subplots(
        4,
        len(runs),
        figsize=(7 * len(runs), 9),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=(3, 3, 2, 1),
    )
    for column, run in enumerate(runs):
        _plot_run(run, [row[column] for row in grid])
    for row, label in zip(grid, ("kbit/s", "latency, ms", "queue, ms", "frozen"), strict=True):
        row[0].set_ylabel(label)
        row[0].set_ylim(0, max(AXIS_MIN.get(label, 1.0), row[0].get_ylim()[1]))
    scenario = runs[0].scenario
    figure.suptitle(f"{scenario.name}: {scenario.about}")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _plot_run(run: Run, axes: Sequence[Any]) -> None:
    rate, latency, queue, frozen = axes
    evidence, colour = run.evidence, COLOURS.get(run.peer, "tab:green")
    start_us, seconds = evidence.window.start_us, evidence.window.seconds
    rate.set_title(run.peer + (f": {run.error}" if run.error else ""))
    for axis in axes:
        axis.set_xlim(0, seconds)
        if evidence.disturbed is not None:
            span = (
                (t - start_us) / 1e6
                for t in (evidence.disturbed.start_us, evidence.disturbed.end_us)
            )
            axis.axvspan(*span, color=DISTURBED)
    _plot_rate(run, rate, queue, colour)
    times = [(p.shown_us - start_us) / 1e6 for p in evidence.shown]
    latency.plot(times, [p.latency_ms for p in evidence.shown], ".", ms=3, color=colour)
    for gap in freezes(evidence.shown, evidence.window, evidence.fps):
        frozen.axvspan(
            (gap.start_us - start_us) / 1e6, (gap.end_us - start_us) / 1e6, color="tab:red"
        )
    frozen.set_yticks([])
    frozen.set_xlabel("s")


def _plot_rate(run: Run, rate: Any, queue: Any, colour: str) -> None:
    evidence = run.evidence
    flow, window = evidence.up, evidence.window
    if flow.start_us is None:
        return
    offset_s = (flow.start_us + evidence.link_clock_us - window.start_us) / 1e6
    times = [offset_s + index * SLOT_US / 1e6 for index in range(len(flow.slots))]
    to_kbps = 8e6 / 1000 / SLOT_US
    rate.plot(
        times,
        _smooth([s.sent_bytes * to_kbps for s in flow.slots]),
        color="0.6",
        lw=1,
        label="sent",
    )
    rate.plot(
        times,
        _smooth([s.delivered_bytes * to_kbps for s in flow.slots]),
        color=colour,
        label="arrived",
    )
    edges, steps = [0.0], []
    for phase in evidence.schedule.phases:
        edges.append(edges[-1] + phase.duration_s)
        steps.append(phase.knobs.capacity_kbps)
    if any(step is not None for step in steps):
        edges[-1] = max(edges[-1], window.seconds)
        values = [float("nan") if step is None else step for step in steps]
        rate.stairs(values, edges, baseline=None, color="black", lw=1, label="capacity")
    rate.legend(loc="upper right", fontsize="small")
    queue.plot(times, [s.queue_ms for s in flow.slots], color=colour, lw=1)
    drops = [(t, s.overflowed) for t, s in zip(times, flow.slots, strict=True) if s.overflowed]
    if drops:
        queue.plot([t for t, _ in drops], [0] * len(drops), "v", color="tab:red", label="overflow")
        queue.legend(loc="upper right", fontsize="small")


def _smooth(values: Sequence[float]) -> list[float]:
    """A running mean."""
    half = SMOOTHED_SLOTS // 2
    return [
        sum(part := values[max(0, i - half) : i + half + 1]) / len(part) for i in range(len(values))
    ]
