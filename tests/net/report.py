"""What `make net` ends with: report.md for people, report.json for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.net.goals import UNITS, Goal, words
from tests.net.run import Run

FIGURES = (
    "shown_percent", "freezes", "freeze_percent", "longest_freeze_ms", "latency_p50_ms",
    "latency_p95_ms", "rate_kbps", "self_made_loss_percent", "connect_ms", "first_picture_ms",
    "recover_ms", "full_rate_ms", "added_queue_ms", "capacity_used_percent", "sessions",
    "undecodable", "skipped_percent",
)  # fmt: skip
NAMES = {"denc": "denc", "aiortc": "stock aiortc"}


@dataclass(frozen=True)
class Conditions:
    """How the runs were made."""

    seed: int
    size: str
    fps: float
    cores: int
    load: float  # of the machine, mean of the last minutes


def missed(runs: Sequence[Run], peer: str) -> list[str]:
    """The goals that a peer did not meet, in words."""
    return [
        f"{run.scenario.name}: {goal}"
        for run in runs
        if run.peer == peer
        for goal in run.scenario.goals
        if run.error or goal.met(run.measures) is False
    ]


def write_report(runs: Sequence[Run], conditions: Conditions, folder: Path) -> None:
    """report.md and report.json; a plot NAME.png lies beside them for each scenario."""
    (folder / "report.md").write_text(_markdown(runs, conditions), encoding="utf-8")
    document = {
        "schema": 1,
        "conditions": asdict(conditions),
        "runs": [_as_json(run) for run in runs],
    }
    (folder / "report.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _as_json(run: Run) -> dict[str, object]:
    return {
        "scenario": run.scenario.name,
        "about": run.scenario.about,
        "peer": run.peer,
        "seconds": run.scenario.seconds,
        "error": run.error,
        "late_ms": run.late_ms,
        "measures": {
            name: "never" if value == math.inf else value
            for name, value in asdict(run.measures).items()
        },
        "goals": [
            {"goal": str(goal), "measure": goal.measure, "met": goal.met(run.measures)}
            for goal in run.scenario.goals
        ],
    }


def _markdown(runs: Sequence[Run], conditions: Conditions) -> str:
    peers = list(dict.fromkeys(run.peer for run in runs))
    by_name: dict[str, dict[str, Run]] = {}
    for run in runs:
        by_name.setdefault(run.scenario.name, {})[run.peer] = run
    lines = [
        "# Bad networks",
        "",
        f"{conditions.size} at {conditions.fps:g} frames/s, seed {conditions.seed}, "
        f"{conditions.cores} cores, load {conditions.load:.1f}. "
        "How to read it: docs/network.md of the project.",
        "",
        "## Goals",
        "",
        _row(["scenario", "link", "goal", *(NAMES.get(p, p) for p in peers)]),
        _row(["---"] * (3 + len(peers))),
    ]
    for name, of_peer in by_name.items():
        scenario = next(iter(of_peer.values())).scenario
        for index, goal in enumerate(scenario.goals):
            results = [_result(of_peer.get(peer), goal) for peer in peers]
            first = index == 0
            lines.append(
                _row([name if first else "", scenario.about if first else "", str(goal), *results])
            )
    lines += ["", "## Figures", "", _row(["scenario", "peer", *map(_heading, FIGURES)])]
    lines.append(_row(["---", "---", *["---:"] * len(FIGURES)]))
    for run in runs:
        values = (getattr(run.measures, figure) for figure in FIGURES)
        mark = " *" if run.is_disturbed_by_machine else ""
        lines.append(_row([run.scenario.name, run.peer + mark, *map(_number, values)]))
    if any(run.is_disturbed_by_machine for run in runs):
        lines += ["", "\\* the machine held up the emulator itself by more than 100 ms"]
    errors = [f"- {run.scenario.name}, {run.peer}: {run.error}" for run in runs if run.error]
    if errors:
        lines += ["", "## Runs without a picture", "", *errors]
    lines += ["", "## Over time", ""]
    lines += [f"![{name}]({name}.png)" for name in by_name]
    return "\n".join(lines) + "\n"


def _result(run: Run | None, goal: Goal) -> str:
    if run is None:
        return ""
    met = goal.met(run.measures)
    mark = {True: "met", False: "**not met**", None: "-"}[False if run.error else met]
    return f"{_number(getattr(run.measures, goal.measure))} {mark}"


def _heading(figure: str) -> str:
    unit = UNITS[figure]
    return f"{words(figure)}, {unit}" if unit else words(figure)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if math.isinf(value):
        return "never"
    return f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.1f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
