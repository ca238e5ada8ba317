"""report.md for people, report.json for programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.net.ends import Reconnect
from tests.soak.sample import Sample
from tests.soak.verdict import MISSED, Line


@dataclass(frozen=True)
class Result:
    """What a run gave."""

    title: str
    about: str
    unit: str  # of the samples' `at`
    warm_up: float  # in the same unit
    samples: Mapping[str, Sequence[Sample]]  # of each end
    reconnects: Sequence[Reconnect]
    lines: Sequence[Line]
    error: str = ""  # why it ended early

    @property
    def failed(self) -> bool:
        return bool(self.error) or any(line.verdict == MISSED for line in self.lines)


def write_report(results: Sequence[Result], folder: Path) -> None:
    """Both files, anew; plots NAME.png lie beside them."""
    document = [_plain(asdict(result) | {"load": os.getloadavg()[1]}) for result in results]
    (folder / "report.json").write_text(
        json.dumps({"schema": 1, "runs": document}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "report.md").write_text("\n".join(_markdown(results)) + "\n", encoding="utf-8")


def _markdown(results: Sequence[Result]) -> list[str]:
    lines = ["# Soak", "", f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}. docs/soak.md"]
    for result in results:
        lines += ["", f"## {result.title}", "", result.about, ""]
        if result.error:
            lines += [f"**Ended early**: {result.error}", ""]
        lines += ["| what | goal | result | |", "|---|---|---|---|"]
        lines += [f"| {r.what} | {r.goal} | {r.result} | {r.verdict} |" for r in result.lines]
        lines += ["", f"![{result.title}]({result.title}.png)"]
    return lines


def _plain(value: object) -> object:
    """Without infinities, which JSON has not."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return "never" if isinstance(value, float) and math.isinf(value) else value
