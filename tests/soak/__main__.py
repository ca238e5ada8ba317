"""`make soak`, or `python -m tests.soak`: does anything grow?

    python -m tests.soak --seconds 28800
    python -m tests.soak --reconnects 100 --kinds streamer viewer dark

Exit codes: 0 nothing is missed, 1 a goal is or a program ended, 2 the command line makes no sense.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from benches import BenchError
from tests.net.peers import Stream
from tests.soak.plot import plot
from tests.soak.reconnects import KINDS, reconnect_often
from tests.soak.report import Result, write_report
from tests.soak.steady import STREAM, soak

SECONDS_MIN = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="runs both daemons for long and watches what grows"
    )
    parser.add_argument("--seconds", type=float, default=8 * 3600.0, help="default: 28800")
    parser.add_argument("--loss", type=float, default=1.0, help="%%, both ways (default: 1)")
    parser.add_argument(
        "--reconnects", type=int, default=0, metavar="N", help="instead: N of each kind"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="default: all")
    parser.add_argument("--size", default=STREAM.size, help="default: %(default)s")
    parser.add_argument("--fps", type=float, default=STREAM.fps, help="default: %(default)g")
    parser.add_argument("--engine", default="auto", help="of both ends (default: auto)")
    parser.add_argument("--out", type=Path, default=Path("runs/soak"), help="default: runs/soak")
    parser.add_argument("--seed", type=int, default=1, help="of the link's chance (default: 1)")
    arguments = parser.parse_args(argv)
    if re.fullmatch(r"[1-9]\d{1,3}x[1-9]\d{1,3}", arguments.size) is None:
        parser.error("--size takes WxH, such as 320x180")
    if arguments.seconds < SECONDS_MIN or arguments.reconnects < 0:
        parser.error(f"--seconds takes {SECONDS_MIN:g} or more, --reconnects 1 or more")
    try:
        results = asyncio.run(_run_all(arguments))
    except (BenchError, OSError, AssertionError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    print(f"\nreport: {arguments.out}/report.md   figures: {arguments.out}/report.json")
    return 1 if any(result.failed for result in results) else 0


async def _run_all(arguments: argparse.Namespace) -> list[Result]:
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    for name in arguments.kinds if arguments.reconnects else ("soak",):
        total = arguments.reconnects or arguments.seconds
        form = "{desc} {bar} {n:.0f}/{total:.0f}, {remaining} left"
        with tqdm(total=total, desc=name, bar_format=form, mininterval=1) as bar:
            results.append(await _run(name, arguments, partial(_advance, bar)))
        plot(results[-1], out / f"{results[-1].title}.png")
        write_report(results, out)
        for line in results[-1].lines:
            print(f"{line.what}: {line.result}  {line.verdict}")
    return results


async def _run(name: str, arguments: argparse.Namespace, tell: Callable[[float], None]) -> Result:
    folder, engine, seed = arguments.out / "logs" / name, arguments.engine, arguments.seed
    width, height = map(int, arguments.size.split("x"))
    stream = Stream(width, height, arguments.fps)
    if arguments.reconnects:
        times = arguments.reconnects
        return await reconnect_often(
            name, times, folder, stream=stream, engine=engine, seed=seed, tell=tell
        )
    seconds, loss = arguments.seconds, arguments.loss
    return await soak(seconds, loss, folder, stream=stream, engine=engine, seed=seed, tell=tell)


def _advance(bar: tqdm, done: float) -> None:
    """Not beyond its end, where tqdm would forget the end."""
    bar.update(min(done, bar.total - bar.n))


if __name__ == "__main__":
    sys.exit(main())
