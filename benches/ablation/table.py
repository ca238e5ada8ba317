"""The rows as text for the screen and as Markdown for a document."""

from __future__ import annotations

from collections.abc import Sequence

from benches.ablation.configurations import DEFAULT
from benches.ablation.rows import SHOWN, Row
from benches.comparison import BdRate

NAME_WIDTH, CELL_WIDTH = 44, 20
MARK = " *"  # of a row that is compared with another one than denc as it sends
X265 = "over x265"


def text(rows: Sequence[Row], clips: int) -> str:
    """For the screen."""
    lines = [_line(_head(rows)), *(_line(_cells(row, rows, clips)) for row in rows)]
    return "\n".join([*lines, caption(rows, clips)])


def markdown(rows: Sequence[Row], clips: int) -> str:
    """For a document: a table, and under it what it says."""
    head = _head(rows)
    lines = [head, ["---"] * len(head), *(_cells(row, rows, clips) for row in rows)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{caption(rows, clips)}\n"


def caption(rows: Sequence[Row], clips: int) -> str:
    """What the numbers are."""
    among = "of one clip" if clips == 1 else f"mean over {clips} clips"
    fewer = "" if clips == 1 else " (in brackets: over so many, where the others have no overlap)"
    labels = {row.method: row.label for row in rows}
    others = dict.fromkeys(labels[row.against] for row in rows if row.against != DEFAULT)
    marked = "".join(f', of rows marked *: against the row "{label}"' for label in others)
    return (
        f"BD-rate, {among}{fewer}: against denc as it sends{marked}; then against x265 medium"
        " zerolatency at full size. Positive: more bits at equal quality. Where denc sends scale 1,"
        " rows of TinyAE and of bits change nothing."
    )


def _head(rows: Sequence[Row]) -> list[str]:
    labels = [m.label.partition(",")[0] for m in SHOWN if m.name in rows[0].bd_rate_x265]
    return ["", *labels, *(f"{label} {X265}" for label in labels)]


def _cells(row: Row, rows: Sequence[Row], clips: int) -> list[str]:
    names = list(rows[0].bd_rate_x265)
    label = row.label + (MARK if row.against != DEFAULT else "")
    own = [_percent(row.bd_rate[name], clips) if row.bd_rate else "0" for name in names]
    return [label, *own, *(_percent(row.bd_rate_x265[name], clips) for name in names)]


def _percent(rate: BdRate, clips: int) -> str:
    if rate.percent is None:
        return "-"
    return f"{rate.percent:+.1f}%" + (f" ({rate.clips})" if rate.clips < clips else "")


def _line(cells: Sequence[str]) -> str:
    return f"{cells[0]:<{NAME_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells[1:])
