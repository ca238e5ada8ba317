"""`make soak`, or `python -m tests.soak`: does anything grow?

    python -m tests.soak --seconds 28800
    python -m tests.soak --reconnects 100 --kinds streamer viewer dark
    python -m tests.soak --overload 2 5 10 --seconds 300

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
from tests.net.peers import DencPeer, Stream
from tests.soak import overload
from tests.soak.plan import Plan
from tests.soak.plot import plot
from tests.soak.reconnects import KINDS, reconnect_often
from tests.soak.report import Result, write_report
from tests.soak.steady import BITRATE_BPS, STREAM, soak

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
    parser.add_argument(
        "--overload", type=float, nargs="+", metavar="FACTOR",
        help="instead: the viewer restores on one core, pictures come so many times too fast",
    )  # fmt: skip
    sizes = f"default: {STREAM.size}; of an overload {overload.STREAM.size}"
    parser.add_argument("--size", help=sizes)
    parser.add_argument("--fps", type=float, default=STREAM.fps, help="default: %(default)g")
    engines = f"of both ends (default: auto; of an overload {overload.ENGINE})"
    parser.add_argument("--engine", help=engines)
    parser.add_argument("--out", type=Path, default=Path("runs/soak"), help="default: runs/soak")
    parser.add_argument("--seed", type=int, default=1, help="of the link's chance (default: 1)")
    arguments = parser.parse_args(argv)
    usual = (overload.STREAM.size, overload.ENGINE) if arguments.overload else (STREAM.size, "auto")
    arguments.size, arguments.engine = arguments.size or usual[0], arguments.engine or usual[1]
    if re.fullmatch(r"[1-9]\d{1,3}x[1-9]\d{1,3}", arguments.size) is None:
        parser.error("--size takes WxH, such as 320x180")
    if arguments.seconds < SECONDS_MIN or arguments.reconnects < 0:
        parser.error(f"--seconds takes {SECONDS_MIN:g} or more, --reconnects 1 or more")
    if arguments.overload and min(arguments.overload) <= 0:
        parser.error("--overload takes factors above 0, such as 2 5 10")
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
    overloads = {f"overload-{factor:g}": factor for factor in arguments.overload or ()}
    kinds = arguments.kinds if arguments.reconnects else ("soak",)
    for name in overloads or kinds:
        total = arguments.reconnects or arguments.seconds + (overload.WARM_UP_S if overloads else 0)
        form = "{desc} {bar} {n:.0f}/{total:.0f}, {remaining} left"
        with tqdm(total=total, desc=name, bar_format=form, mininterval=1) as bar:
            tell = partial(_advance, bar)
            results.append(await _run(name, overloads.get(name), arguments, tell))
        plot(results[-1], out / f"{results[-1].title}.png")
        write_report(results, out)
        for line in results[-1].lines:
            print(f"{line.what}: {line.result}  {line.verdict}")
    return results


async def _run(
    name: str, factor: float | None, arguments: argparse.Namespace, tell: Callable[[float], None]
) -> Result:
    width, height = map(int, arguments.size.split("x"))
    plan = Plan(
        folder=arguments.out / "logs" / name,
        stream=Stream(width, height, arguments.fps),
        bitrate_bps=BITRATE_BPS if factor is None else overload.BITRATE_BPS,
        peer=DencPeer(engine=arguments.engine),
        seed=arguments.seed,
        tell=tell,
    )
    if factor is not None:
        return await overload.overload(factor, arguments.seconds, plan)
    if arguments.reconnects:
        return await reconnect_often(name, arguments.reconnects, plan)
    return await soak(arguments.seconds, arguments.loss, plan)


def _advance(bar: tqdm, done: float) -> None:
    """Not beyond its end, where tqdm would forget the end."""
    bar.update(min(done, bar.total - bar.n))


if __name__ == "__main__":
    sys.exit(main())
