"""The command line of `denc-bench`: one subcommand a bench, loaded when it is asked for.

A bench is a module with `add_arguments(parser)` and `run(arguments) -> int`. Exit codes: 0 fine,
1 failed while running, 2 used wrongly (also where the `bench` extra is not installed).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Protocol, cast

from benches import BenchError, BenchUsageError
from engines.errors import EngineError, UnknownEngineError

NAME = "denc-bench"
ABOUT = "Measures denc: quality per bit, speed, and what each of its parts gives."
BENCHES = {
    "quality": "quality per bit beside x265, SVT-AV1 and VP9, as results.json and report.html",
    "speed": "time per stage, frames/s and memory on this machine, beside x265",
    "buffer": "restoring in batches, apart from decoding or not; and ten times too slow",
    "ablate": "what each of the three compressions gives",
}
OURS = ("benches", "daemon", "engines", "link", "streamer", "viewer")  # never what is missing
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Bench(Protocol):
    """What a bench's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Measure, print, and return the exit code.

        Raises BenchUsageError for what the user has to change, BenchError and EngineError for
        what failed."""


def parser() -> argparse.ArgumentParser:
    """The subcommands; what one of them takes, its own parser knows."""
    listed = "\n".join(f"  {name:<10}{about}" for name, about in BENCHES.items())
    result = argparse.ArgumentParser(
        prog=NAME,
        description=ABOUT,
        epilog=f"benches:\n{listed}\n\n{NAME} BENCH --help tells the options of one of them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--version", action="version", version=f"{NAME} {version('denc')}")
    result.add_argument("bench", choices=list(BENCHES), metavar="BENCH", help=", ".join(BENCHES))
    result.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="its options")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one bench; the exit code."""
    chosen = parser().parse_args(argv)
    name = f"{NAME} {chosen.bench}"
    try:
        bench = cast(Bench, importlib.import_module(f"benches.{chosen.bench}"))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        print(
            f"{name}: needs the bench extra of denc, {error.name} is missing:"
            " pip install 'denc[bench]', or in denc's folder: pip install '.[bench]'",
            file=sys.stderr,
        )
        return 2
    options = argparse.ArgumentParser(prog=name, description=(bench.__doc__ or "").splitlines()[0])
    bench.add_arguments(options)
    try:
        return bench.run(options.parse_intermixed_args(chosen.rest))
    except (BenchUsageError, UnknownEngineError) as error:
        return _failed(name, error, 2)
    except (BenchError, EngineError, OSError) as error:
        return _failed(name, error, 1)
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        return INTERRUPTED


def _failed(name: str, error: Exception, code: int) -> int:
    print(f"{name}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
