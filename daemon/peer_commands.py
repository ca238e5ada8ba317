"""Subcommands about the boxes that are known: `peers` and `forget`, the same for both daemons."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import DaemonError, UsageError
from daemon.log import fail

if TYPE_CHECKING:
    from daemon.state import State

Run = Callable[[argparse.Namespace], str]


@dataclass(frozen=True)
class PeerCommand:
    """`run` gets the options and gives what to print. Raises DaemonError.

    `argument` is the name of its positional argument; `add` adds further options.
    """

    about: str
    run: Run
    argument: str | None = None
    add: Callable[[argparse.ArgumentParser], None] | None = None


def peer_commands(file: str, who: str, forget: str, argument: str) -> dict[str, PeerCommand]:
    """`peers` and `forget` for the list in `file` of the state folder, which holds `who`."""

    def show(options: argparse.Namespace) -> str:
        from daemon.peer_book import PeerBook, table
        from daemon.state import box_name
        from link.identity import short

        state = used_state(options)
        own = f"this box is {box_name()} ({short(state.identity().fingerprint)})"
        peers = PeerBook(state.folder / file).peers()
        return f"{own}\n{table(peers)}" if peers else f"{own}; it knows no {who} yet"

    def drop(options: argparse.Namespace) -> str:
        from daemon.peer_book import PeerBook, matcher, table

        state = used_state(options)
        book = PeerBook(state.folder / file)
        wanted = matcher(options.what)
        found = [peer for peer in book.peers() if wanted(peer)]
        if not found:
            raise UsageError(f"no {who} {options.what!r} is known; {options.prog} peers lists them")
        if len({peer.fingerprint for peer in found}) > 1:
            raise UsageError(
                f"{options.what!r} fits more than one {who}; give the fingerprint:\n"
                + table(tuple(found))
            )
        book.forget(wanted)
        return "\n".join([*(f"forgotten: {peer.name}" for peer in found), forget])

    return {
        "peers": PeerCommand(f"list the {who}s that this box knows", show),
        "forget": PeerCommand(f"forget a {who}", drop, argument),
    }


def run_peer_command(
    prog: str, commands: Mapping[str, PeerCommand], arguments: Sequence[str]
) -> int:
    """Run the command that `arguments` begin with; the exit code: 0 fine, 1 run time, 2 usage."""
    name, *rest = arguments
    command = commands[name]
    parser = argparse.ArgumentParser(prog=f"{prog} {name}", description=command.about)
    if command.argument is not None:
        parser.add_argument("what", metavar=command.argument)
    if command.add is not None:
        command.add(parser)
    parser.add_argument("--state", type=Path, metavar="DIR", help="of the daemon, where it has one")
    parser.set_defaults(prog=prog)
    try:
        print(command.run(parser.parse_args(rest)))
    except DaemonError as error:
        fail(f"{prog} {name}", str(error))
        return error.exit_code
    sys.stdout.flush()
    return 0


def used_state(options: argparse.Namespace) -> State:
    """The state folder of a daemon that ran already; another one is a mistake of the user."""
    from daemon.state import default_folder, open_state

    folder = options.state or default_folder()
    if not (folder / "identity.pem").exists():
        raise UsageError(
            f"{options.prog} never ran with {folder}: give its folder with --state DIR "
            "(a service of systemd has /var/lib/denc)"
        )
    return open_state(folder)
