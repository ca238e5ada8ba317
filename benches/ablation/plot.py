"""The rows as bars: what each costs or saves against what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benches.ablation.rows import SHOWN, Row

COLORS = ("#1565c0", "#c2185b", "#ef6c00", "#2e7d32", "#6a1b9a", "#00838f")
ROW_INCHES = 0.3
LIMIT = 100.0  # percent; longer bars are cut, their number stands there


def ablation_plot(rows: Sequence[Row], path: Path) -> None:
    """Write a panel per measure, a bar per row, as a PNG file."""
    compared = [row for row in rows if row.bd_rate]
    measures = [m for m in SHOWN if m.name in rows[0].bd_rate_x265]
    parts = list(dict.fromkeys(row.part for row in compared))
    figure = Figure(figsize=(3.4 + 3.2 * len(measures), 1.4 + ROW_INCHES * len(compared)))
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axis, measure in zip(axes, measures, strict=True):
        for place, row in enumerate(compared):
            percent = row.bd_rate[measure.name].percent
            if percent is None:
                axis.text(0, place, " no overlap", va="center", fontsize=7)
                continue
            shown = min(max(percent, -LIMIT), LIMIT)
            axis.barh(place, shown, color=COLORS[parts.index(row.part) % len(COLORS)])
            side = "left" if shown >= 0 else "right"
            axis.text(shown, place, f" {percent:+.1f} ", va="center", ha=side, fontsize=7)
        axis.axvline(0, color="black", lw=0.8)
        axis.margins(x=0.25)
        axis.grid(axis="x", alpha=0.3)
        axis.set_title(measure.label.partition(",")[0], fontsize=10)
        axis.set_xlabel("BD-rate, %", fontsize=8)
    axes[0].set_yticks(range(len(compared)), [row.label for row in compared], fontsize=8)
    axes[0].invert_yaxis()
    figure.suptitle(
        "Bits at equal quality against denc as it sends (right: costs more)", fontsize=10
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
