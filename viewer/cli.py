"""The command line of `denc-view`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence

from daemon.command import Command
from daemon.peer_commands import run_peer_command
from viewer.config import HTTP, LISTEN, PAGE, QUALITIES, RAW_FORMATS, ViewerConfig
from viewer.pair_command import COMMANDS

NAME = "denc-view"
ABOUT = """\
Receives a denc stream, restores it to its full size and shows it: on a web page, in a window, as
a recording, as a camera, into a pipe; any number of them at once. The first denc-stream that
connects is paired with this viewer; others are refused."""
START = f"""\
start with one of:
  denc-view --listen                        wait for denc-stream on port {LISTEN.port}, watch at
                                            http://{PAGE}/
  denc-view --listen --web 8080             the page for every machine on the network
  denc-view --listen --record out.mkv       record the restored video
  denc-view --listen --publish URL          send the restored video on to a WHIP server
  denc-view --listen --record-stream s.mkv  keep the stream itself (tiny) and restore it later:
  denc-view --input s.mkv --record out.mkv  restore a stream file
  denc-view --listen --window               watch in a window
  denc-view --listen --max-streams 4        take four streamers at once
  denc-view --listen --stdout y4m | ffmpeg -i - -c:v libx264 out.mp4
then, on the other machine:
  denc-stream --camera 0 --peer THIS-HOST
who may connect (while it runs, or not):
  denc-view pair [--for MINUTES]            let one more denc-stream in
  denc-view peers                           list those that are paired
  denc-view forget NAME                     let one of them in no more
"""
COMMAND = Command(
    NAME,
    ABOUT,
    START,
    "configs/viewer.yaml",
    ViewerConfig,
    usage="""\
denc-view --listen [[HOST:]PORT] [options]
       denc-view --input FILE.mkv [options]
       denc-view pair | peers | forget NAME [--help]""",
    environment="""\
  DISPLAY, WAYLAND_DISPLAY    the screen of --window
""",
    files="""\
  STATE/streamers             who may connect
""",
)


def parser() -> argparse.ArgumentParser:
    """One option a key of the configuration; what is not given stays None."""
    result = COMMAND.parser()
    source = result.add_argument_group("where the stream comes from (one of them)")
    source.add_argument(
        "--listen",
        nargs="?",
        const=str(LISTEN),
        metavar="[HOST:]PORT",
        help=f"wait for a streamer (without a value: {LISTEN})",
    )
    source.add_argument(
        "--input",
        metavar="FILE.mkv",
        help="restore a stream file, of --record-stream or denc-stream --output",
    )
    source.add_argument(
        "--once",
        action="store_true",
        default=None,
        help="end when the stream has ended, of several the last (default: wait for the next)",
    )
    source.add_argument(
        "--max-streams",
        type=int,
        metavar="N",
        help="take so many streamers at once (default: 1). Files of streams beyond the first\n"
        "are named FILE-stream1.mkv and so on; --v4l2 and --stdout show stream 0, a window\n"
        "any (tab key); --publish needs {stream} in its URL",
    )
    source.add_argument(
        "--http",
        nargs="?",
        const=str(HTTP),
        metavar="[HOST:]PORT",
        help="also plain HTTP, for WHIP programs that show the token and cannot\n"
        f"check this box's certificate (without a value: {HTTP})",
    )
    source.add_argument(
        "--token", metavar="TOKEN", help="lets in who shows it, unpaired; the page needs it too"
    )
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
        help="the page, for browsers: a bare PORT is for every machine on the network\n"
        f"(default: {PAGE}, this machine alone, if nothing else is asked for)",
    )
    sinks.add_argument(
        "--window",
        action="store_true",
        default=None,
        help="a window on this screen; keys: f full screen, i figures,\n"
        "s snapshot (PNG in the current folder), arrows fidelity, tab next stream, q quit",
    )
    sinks.add_argument(
        "--record",
        metavar="FILE.mkv",
        help="record the restored video (H.264); never replaces a file",
    )
    sinks.add_argument("--record-quality", choices=QUALITIES, help="of --record (default: high)")
    sinks.add_argument(
        "--record-stream",
        metavar="FILE.mkv",
        help="record the stream as received: tiny, restored later with --input",
    )
    sinks.add_argument(
        "--record-split",
        metavar="10min|500MB",
        help="both recordings as FILE-00001.mkv, FILE-00002.mkv, ..., each at\n"
        "most so long or so large (default: one file)",
    )
    sinks.add_argument(
        "--v4l2",
        metavar="/dev/videoN",
        help="a camera that other programs see, where v4l2loopback is loaded",
    )
    sinks.add_argument(
        "--stdout",
        choices=RAW_FORMATS,
        metavar="y4m",
        help="raw pictures for a pipe, into ffmpeg or mpv; logs are on stderr",
    )
    sinks.add_argument(
        "--log-frames", metavar="FILE.csv", help="one line per shown picture, for measurements"
    )
    sinks.add_argument(
        "--headless", action="store_true", default=None, help="no page, for a box that only records"
    )
    sinks.add_argument(
        "--recordings",
        metavar="FOLDER",
        help="where the page's record button writes (default: here, if the page\n"
        "is for this machine alone or has a token)",
    )
    sinks.add_argument("--publish", metavar="URL", help="to a WHIP server (H.264), for an audience")
    sinks.add_argument("--publish-token", metavar="T", help="of that server")
    work = result.add_argument_group("how it is restored")
    work.add_argument(
        "--engine",
        metavar="NAME",
        help="the network; `plain` is none (default: auto, the best one for the stream that\n"
        "holds its frame rate here, at last plain upscaling)",
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
    work.add_argument(
        "--batch-max",
        type=int,
        metavar="N",
        help="pictures restored in one go when behind (default: 4)",
    )
    work.add_argument(
        "--threads", type=int, metavar="N", help="of the network; 0 is every core (default: 0)"
    )
    COMMAND.add_rest(result, "default: 9465 with --listen, else 0, which is none")
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
