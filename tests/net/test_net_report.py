"""The command line and the report of the runs over bad networks, without a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.net.__main__ import main
from tests.net.flow import Flow
from tests.net.goals import at_least, at_most
from tests.net.knobs import Knobs
from tests.net.link_model import Drop, Passage
from tests.net.measures import Evidence, Span, measure
from tests.net.plots import plot
from tests.net.report import Conditions, missed, write_report
from tests.net.run import Run
from tests.net.scenario import Scenario
from tests.net.schedule import Phase, Schedule
from tests.net.shown import ShownPicture

DARK = Schedule((Phase(1, Knobs(capacity_kbps=1000)), Phase(1, Knobs(blackout=True))))
GOALS = (at_least("shown_percent", 40), at_most("recover_ms", 1000))
CONDITIONS = Conditions(1, "320x180", 25.0, 2, 0.5)


def made(peer: str, *, error: str = "", late_ms: float = 0.0) -> Run:
    """One second of pictures, then none for ever."""
    flow = Flow()
    for index in range(100):
        flow.add(1000, index * 10_000, Passage((index * 10_000,), 8000, 1))
    flow.add(1000, 1_500_000, Passage((), 0, 200, Drop.QUEUE))
    evidence = Evidence(
        shown=[ShownPicture(n, n * 40_000, n * 40_000 + 70_000) for n in range(25)],
        window=Span(0, 2_000_000),
        fps=25.0,
        up=flow,
        link_clock_us=0,
        schedule=DARK,
        bitrate_bps=1_000_000,
        offered_us=0,
        connected_us=None,
        sessions=1,
        undecodable=None,
        skipped=None,
        disturbed=Span(1_100_000, 1_200_000),
    )
    scenario = Scenario("dark", "it goes dark", DARK, DARK, GOALS, 2.0)
    return Run(scenario, peer, evidence, measure(evidence), late_ms, error)


def test_the_report_has_each_goal_beside_both_results(tmp_path: Path) -> None:
    runs = [made("denc"), made("aiortc", error="it broke", late_ms=150)]
    write_report(runs, CONDITIONS, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert (
        "| dark | it goes dark | shown >= 40 % | 50 met | 50 **not met** |\n"
        "|  |  | recover <= 1000 ms | never **not met** | never **not met** |"
    ) in text
    assert "- dark, aiortc: it broke" in text
    assert "| dark | aiortc * |" in text
    figures = json.loads((tmp_path / "report.json").read_text())
    assert figures["runs"][0]["measures"]["recover_ms"] == "never"
    assert missed(runs, "denc") == ["dark: recover <= 1000 ms"]


def test_a_plot_stands_beside_the_report(tmp_path: Path) -> None:
    plot([made("denc"), made("aiortc", error="it broke")], tmp_path / "dark.png")
    assert (tmp_path / "dark.png").read_bytes().startswith(b"\x89PNG")


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 30
    assert any(line.startswith("blackout-2 ") for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [["--scenarios", "nonsense"], ["--seconds", "1"], ["--peers", "nobody"], ["--seconds", "x"]],
)
def test_a_command_line_without_sense_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error" in capsys.readouterr().err
