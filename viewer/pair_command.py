"""The subcommands of `denc-view`: `pair`, `peers` and `forget`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daemon.config import between
from daemon.peer_commands import PeerCommand, peer_commands, used_state

if TYPE_CHECKING:
    from viewer.pairing import Window

DEFAULT_MINUTES = 5


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="minutes",
        type=_minutes,
        default=DEFAULT_MINUTES,
        metavar="MINUTES",
        help=f"how long the window stays open (default: {DEFAULT_MINUTES})",
    )


def _pair(options: argparse.Namespace) -> str:
    from viewer.pairing import Window

    state = used_state(options)
    window: Window = Window(state.pairing)
    window.open(options.minutes)
    time = f"{options.minutes:g} minute" + ("" if options.minutes == 1 else "s")
    return (
        f"one more streamer may pair within {time}; there, if it does not "
        "run yet:\n  denc-stream --camera 0 --peer THIS-HOST"
    )


def _minutes(text: str) -> float:
    from viewer.pairing import WINDOW_MAX_MINUTES

    try:
        return between(0.1, WINDOW_MAX_MINUTES, "minutes")(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}, not {text!r}") from None


COMMANDS = {
    "pair": PeerCommand("let one more streamer pair with this viewer", _pair, add=_options),
    **peer_commands(
        "streamers",
        "streamer",
        "a session under way ends now; it gets in again only after: denc-view pair",
        "NAME|FINGERPRINT",
    ),
}
