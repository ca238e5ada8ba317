"""`make net`, or `python -m tests.net`: the network lines of the matrix, both peers, a report.

Exit codes: 0 everything was measured (with --strict: and denc met every goal), 1 it was not, 2 the
command line makes no sense.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from benches import BenchError
from tests.net.matrix import SECONDS, SECONDS_MIN, matrix
from tests.net.peers import PEERS, Stream
from tests.net.plots import plot
from tests.net.report import Conditions, missed, write_report
from tests.net.run import Run, run_scenario
from tests.net.scenario import Scenario

SECONDS_MAX = 3600.0
CLEAN = "clean"


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not SECONDS_MIN <= arguments.seconds <= SECONDS_MAX:
        parser.error(f"--seconds takes {SECONDS_MIN:g} to {SECONDS_MAX:g}")
    every = matrix(arguments.seconds)
    if arguments.list:
        for scenario in every:
            print(f"{scenario.name:<20}{scenario.seconds:>6g} s  {scenario.about}")
        return 0
    scenarios = [s for s in every if any(fnmatch(s.name, p) for p in arguments.scenarios)]
    if not scenarios:
        known = ", ".join(scenario.name for scenario in every)
        parser.error(f"no scenario is named so; there are {known}")
    return _measure(scenarios, arguments)


def _measure(scenarios: Sequence[Scenario], arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        runs = asyncio.run(_run_all(scenarios, arguments))
    except (BenchError, OSError) as error:
        print(f"net: {error}", file=sys.stderr)
        return 1
    not_met = missed(runs, "denc")
    print(f"\nreport: {out}/report.md   figures: {out}/report.json")
    if not_met:
        print("denc misses:", *not_met, sep="\n  ")
    failed = any(run.error for run in runs)
    return 1 if failed or (arguments.strict and not_met) else 0


async def _run_all(scenarios: Sequence[Scenario], arguments: argparse.Namespace) -> list[Run]:
    """Every scenario with every peer; the report grows with each scenario."""
    runs: list[Run] = []
    out, stream = arguments.out, Stream()
    total = sum(scenario.seconds for scenario in scenarios) * len(arguments.peers)
    form = "{desc} {bar} {n:.0f}/{total:.0f} s, {remaining} left"
    with tqdm(total=total, bar_format=form, mininterval=1) as bar:
        for scenario in scenarios:
            for name in arguments.peers:
                bar.set_description_str(f"{scenario.name}, {name}")
                done = bar.n + scenario.seconds
                run = await run_scenario(
                    scenario,
                    PEERS[name],
                    out / "logs" / f"{scenario.name}-{name}",
                    stream=stream,
                    seed=arguments.seed,
                    tell=bar.update,
                )
                runs.append(run)
                bar.update(done - bar.n)
            runs = _beside_clean(runs)
            cores, load = os.cpu_count() or 1, os.getloadavg()[1]
            write_report(
                runs, Conditions(arguments.seed, stream.size, stream.fps, cores, load), out
            )
            plot(runs[-len(arguments.peers) :], out / f"{scenario.name}.png")
    return runs


def _beside_clean(runs: Sequence[Run]) -> list[Run]:
    """With each run's rate beside the clean one's of the same peer."""
    clean = {run.peer: run.measures.rate_kbps for run in runs if run.scenario.name == CLEAN}
    found = []
    for run in runs:
        if rate := clean.get(run.peer):
            share = 100 * run.measures.rate_kbps / rate
            run = replace(run, measures=replace(run.measures, rate_of_clean_percent=share))
        found.append(run)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.net",
        description="runs denc, and a stock aiortc pair beside it, over emulated bad networks",
    )
    parser.add_argument(
        "--scenarios", nargs="+", default=["*"], metavar="NAME",
        help="which, such as loss-5 or 'blackout-*' (default: all; --list shows them)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of each run (default: {SECONDS:g})"
    )
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), default=list(PEERS), help="default: both"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/net"), help="default: runs/net")
    parser.add_argument("--seed", type=int, default=1, help="of the links' chance (default: 1)")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if denc misses a goal")
    parser.add_argument("--list", action="store_true", help="show the scenarios and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
