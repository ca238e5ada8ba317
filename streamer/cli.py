"""The command line of `denc-stream`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence

from daemon.command import Command
from daemon.peer_commands import peer_commands, run_peer_command
from engines.carrier import PRESETS
from streamer.config import StreamerConfig

NAME = "denc-stream"
ABOUT = """\
Streams a camera or a video at a tiny bitrate to denc-view, or to any WHIP server that takes
H.265."""
START = """\
start with one of:
  denc-stream --camera 0 --peer 192.168.1.20             this camera to the viewer over there
  denc-stream --source demo: --peer 127.0.0.1            no camera: a built-in moving scene
  denc-stream --source clip.mp4 --loop --peer HOST       a video, again and again
  denc-stream --source rtsp://cam/1 --peer HOST:8889 --max-bitrate 150k
  denc-stream --source clip.mp4 --output clip.denc.mkv   into a file, as fast as it goes
on the other machine:
  denc-view --listen
the viewers that this box remembers:
  denc-stream peers                                      list them
  denc-stream forget HOST                                after a viewer was replaced
"""
COMMANDS = peer_commands(
    "viewers", "viewer", "the next box that answers there is remembered instead", "HOST"
)
COMMAND = Command(
    NAME,
    ABOUT,
    START,
    "configs/streamer.yaml",
    StreamerConfig,
    usage="""\
denc-stream (--camera N | --source SPEC) --peer HOST[:PORT] [options]
       denc-stream (--camera N | --source SPEC) --output FILE.mkv [options]
       denc-stream peers | forget HOST [--help]""",
    files="""\
  STATE/viewers               which box answers where
""",
)


def parser() -> argparse.ArgumentParser:
    """One option a key of the configuration; what is not given stays None."""
    result = COMMAND.parser()
    source = result.add_argument_group("where the pictures come from")
    which = source.add_mutually_exclusive_group()
    which.add_argument(
        "--camera",
        type=_camera,
        dest="source",
        metavar="N",
        help="/dev/videoN of this machine: --source v4l2:///dev/videoN",
    )
    which.add_argument(
        "--source", metavar="SPEC", help="a file, rtsp://..., v4l2:///dev/videoN or demo:"
    )
    source.add_argument(
        "--size", metavar="WxH", help="size of the stream (default: the source's own)"
    )
    source.add_argument(
        "--fps", metavar="N", help="frames a second at most (default: the source's own)"
    )
    source.add_argument(
        "--input-format",
        metavar="NAME",
        help="what the camera is to deliver: mjpeg, yuyv422, ...\n(default: the driver's first)",
    )
    source.add_argument(
        "--loop", action="store_true", default=None, help="start a file again at its end"
    )
    target = result.add_argument_group("where the stream goes (one of them, or both)")
    target.add_argument(
        "--peer",
        metavar="HOST[:PORT]",
        help="the viewer (default: port 8889), or the URL of a WHIP endpoint",
    )
    target.add_argument(
        "--output", metavar="FILE.mkv", help="keep the compressed stream; never replaces a file"
    )
    target.add_argument(
        "--name",
        metavar="NAME",
        help="what a viewer of several streams calls this one, beside the host name\n"
        "(default: the camera's device)",
    )
    target.add_argument("--token", metavar="TOKEN", help="of a viewer that asks for one, unpaired")
    target.add_argument(
        "--ice-server",
        action="append",
        metavar="URI",
        help="stun:HOST or turn:USER:PASSWORD@HOST, for a viewer beyond a NAT (repeatable)",
    )
    target.add_argument(
        "--duration", metavar="S", help="end after so many seconds (default: never)"
    )
    work = result.add_argument_group("how it is compressed")
    work.add_argument("--max-bitrate", metavar="BPS", help="such as 200k or 1.5M (default: 300k)")
    work.add_argument(
        "--scale",
        metavar="auto|1|2|3|4",
        help="how many times smaller the coded picture is, each way (default: auto)",
    )
    work.add_argument("--bits", metavar="4..8", help="of the latent's quantizer (default: 8)")
    work.add_argument(
        "--engine", metavar="NAME", help="the network; `plain` is none (default: auto)"
    )
    work.add_argument(
        "--preset", choices=("auto", *PRESETS), metavar="NAME", help="of x265 (default: auto)"
    )
    work.add_argument(
        "--no-guide", action="store_false", default=None, dest="guide",
        help="do not fit the viewer's network to the picture: saves a little CPU time",
    )  # fmt: skip
    work.add_argument(
        "--threads", metavar="N", help="of network and x265; 0 is every core (default: 0)"
    )
    COMMAND.add_rest(result, "default: 9464, 0 is none")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the streamer; the exit code: 0 fine, 1 run time, 2 usage."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and arguments[0] in COMMANDS:
        return run_peer_command(NAME, COMMANDS, arguments)
    return COMMAND.main(parser(), arguments, _daemon)


def _daemon() -> Callable[[StreamerConfig, asyncio.Event], Coroutine[object, object, None]]:
    from streamer.app import stream

    return stream


def _camera(number: str) -> str:
    """The source that `--camera N` is short for."""
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"expected the N of /dev/videoN, not {number!r}")
    return f"v4l2:///dev/video{int(number)}"


if __name__ == "__main__":
    sys.exit(main())
