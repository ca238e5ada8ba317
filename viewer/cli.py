"""The command line of `denc-view`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence

from daemon.command import Command
from daemon.peer_commands import run_peer_command
from viewer.config import HTTP, LISTEN, PAGE, QUALITIES, ViewerConfig
from viewer.pair_command import COMMANDS

NAME = "denc-view"
ABOUT = """\
Receives a denc stream, restores it to its full size and shows it: on a web page, as a recording,
or both. The first denc-stream that connects is paired with this viewer; others are refused."""
START = f"""\
start with one of:
  denc-view --listen                        wait for denc-stream on port {LISTEN.port}, watch at
                                            http://{PAGE}/
  denc-view --listen --web 8080             the page for every machine on the network
  denc-view --listen --record out.mkv       record the restored video
  denc-view --listen --record-stream s.mkv  keep the stream itself (tiny) and restore it later:
  denc-view --input s.mkv --record out.mkv  restore a stream file
then, on the other machine:
  denc-stream --camera 0 --peer THIS-HOST
who may connect (while it runs, or not):
  denc-view pair [--for MINUTES]            let one more denc-stream in
  denc-view peers                           list those that are paired
  denc-view forget NAME                     let one of them in no more
"""
COMMAND = Command(NAME, ABOUT, START, "configs/viewer.yaml", ViewerConfig)


def parser() -> argparse.ArgumentParser:
    """One option a key of the configuration; what is not given stays None."""
    result = COMMAND.parser()
    source = result.add_argument_group("where the stream comes from (one of them)")
    source.add_argument(
        "--listen",
        nargs="?",
        const=str(LISTEN),
        metavar="[HOST:]PORT",
        help=f"wait for a streamer; without a value {LISTEN}",
    )
    source.add_argument("--input", metavar="FILE.mkv", help="restore a stream file")
    source.add_argument(
        "--once", action="store_true", default=None, help="end when the first stream ends"
    )
    source.add_argument(
        "--http",
        nargs="?",
        const=str(HTTP),
        metavar="[HOST:]PORT",
        help="also plain HTTP, for WHIP programs that show the token and cannot check\n"
        f"this box's certificate; without a value {HTTP}",
    )
    source.add_argument("--token", help="lets in who shows it, unpaired; the page needs it too")
    source.add_argument(
        "--ice-server",
        action="append",
        metavar="URI",
        help="stun:HOST or turn:USER:PASSWORD@HOST, for streamers beyond a NAT (repeatable)",
    )
    sinks = result.add_argument_group("where the picture goes (any number at once)")
    sinks.add_argument(
        "--web",
        metavar="[HOST:]PORT",
        help=f"serve the page; it is at http://{PAGE}/ if no sink is given",
    )
    sinks.add_argument("--record", metavar="FILE.mkv", help="record the restored video")
    sinks.add_argument("--record-quality", choices=QUALITIES, help="default: high (x264 crf 18)")
    sinks.add_argument("--record-stream", metavar="FILE.mkv", help="record the stream as received")
    sinks.add_argument("--log-frames", metavar="FILE.csv", help="one line per shown frame")
    sinks.add_argument("--headless", action="store_true", default=None, help="no page")
    work = result.add_argument_group("how it is restored")
    work.add_argument(
        "--engine",
        metavar="NAME",
        help="default: auto = the best network for the stream that holds its frame rate here",
    )
    work.add_argument(
        "--fidelity",
        metavar="0..1",
        help="0 = closest to the source, 1 = best looking (default: 0.5)",
    )
    work.add_argument(
        "--latency-budget",
        type=int,
        metavar="MS",
        help="drop pictures older than this, counted from arrival (default: 400)",
    )
    work.add_argument("--batch-max", type=int, metavar="N", help="restore up to N at once (4)")
    work.add_argument("--threads", type=int, metavar="N", help="default: 0 = every core")
    COMMAND.add_rest(result, "9465 with --listen, 0 = none")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the viewer; the exit code: 0 fine, 1 run time, 2 usage."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and arguments[0] in COMMANDS:
        return run_peer_command(NAME, COMMANDS, arguments)
    return COMMAND.main(parser(), arguments, _daemon)


def _daemon() -> Callable[[ViewerConfig, asyncio.Event], Coroutine[object, object, None]]:
    from viewer.app import view

    return view


if __name__ == "__main__":
    sys.exit(main())
