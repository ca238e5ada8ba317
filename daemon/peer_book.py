"""The boxes that this one knows: a file for people, one line a box.

    # fingerprint (SHA-256)   since   last seen   name
    3f0a...c1 2026-03-01T10:00:00Z 2026-03-02T08:30:00Z camera-7

A line that does not parse counts as nobody and is kept; a file that cannot be read lets nobody in.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from daemon.errors import RunError
from daemon.log import event
from link.files import locked, write_atomically
from link.identity import short

MAX_BYTES = 1 << 20
MAX_PEERS = 1000
HEAD = "# fingerprint (SHA-256)   since   last seen   name\n"
_LINE = re.compile(r"(?P<print>[0-9a-f]{64})\s+(?P<since>\S+)\s+(?P<seen>\S+)\s+(?P<name>\S+)")
_TIME = "%Y-%m-%dT%H:%M:%SZ"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peer:
    """A box that is known; times in UTC."""

    fingerprint: str
    name: str
    since: datetime
    seen: datetime

    def __str__(self) -> str:
        times = f"{self.since.strftime(_TIME)} {self.seen.strftime(_TIME)}"
        return f"{self.fingerprint} {times} {self.name}"


class PeerBook:
    """Reads the file anew each time, since other programs change it. All raise RunError.

    `clock` gives the time in UTC.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] | None = None) -> None:
        self.path = path
        self._clock = clock or (lambda: datetime.now(timezone.utc))
        self._told_lines: frozenset[str] = frozenset()

    @property
    def was_used(self) -> bool:
        """Whether anybody was ever known here, even if all are forgotten now."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failed("read", error) from error
        return True

    def peers(self) -> tuple[Peer, ...]:
        return tuple(peer for line in self._lines() if (peer := _parsed(line)) is not None)

    def find(self, *, fingerprint: str | None = None, name: str | None = None) -> Peer | None:
        """The first peer of this fingerprint, or of this name."""
        for peer in self.peers():
            if fingerprint == peer.fingerprint or (name is not None and name == peer.name):
                return peer
        return None

    def add(self, fingerprint: str, name: str) -> Peer:
        """A box that is known from now on."""
        now = self._clock()
        peer = Peer(fingerprint, name, now, now)
        self._change(lambda lines: [*lines[-MAX_PEERS:], str(peer)])
        return peer

    def touch(self, peer: Peer) -> None:
        """A box was seen again; one that was forgotten meanwhile stays so."""
        now = self._clock()
        seen = Peer(peer.fingerprint, peer.name, peer.since, now)
        self._change(lambda lines: [str(seen) if _parsed(line) == peer else line for line in lines])

    def forget(self, matches: Callable[[Peer], bool]) -> tuple[Peer, ...]:
        """Forgets the boxes that match, and gives them."""
        gone = tuple(peer for peer in self.peers() if matches(peer))
        if gone:
            self._change(lambda lines: [line for line in lines if _parsed(line) not in gone])
        return gone

    def _change(self, change: Callable[[list[str]], list[str]]) -> None:
        try:
            with locked(self.path.parent):
                lines = change(self._lines())
                write_atomically(self.path, (HEAD + "".join(f"{i}\n" for i in lines)).encode())
        except OSError as error:
            raise self._failed("write", error) from error

    def _lines(self) -> list[str]:
        """Every line but the comments; the damaged are told once."""
        try:
            with self.path.open("rb") as file:
                text = file.read(MAX_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed("read", error) from error
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        damaged = frozenset(line for line in lines if _parsed(line) is None)
        if damaged - self._told_lines:
            count = len(damaged)
            event(
                _log,
                "damaged lines in the list of known boxes count as nobody",
                level=logging.WARNING,
                file=self.path,
                lines=count,
            )
        self._told_lines = damaged
        return lines

    def _failed(self, verb: str, error: OSError) -> RunError:
        return RunError(f"{self.path}: cannot {verb} the list of known boxes: {error.strerror}")


def matcher(text: str) -> Callable[[Peer], bool]:
    """Fits a peer by its name, by its host where the name is host:port, or by its fingerprint,
    of which the first 8 characters are enough."""
    plain = text.strip()
    hexed = plain.lower().replace("-", "").replace(":", "")
    is_print = re.fullmatch(r"[0-9a-f]{8,64}", hexed) is not None

    def matches(peer: Peer) -> bool:
        host = peer.name.rpartition(":")[0]
        named = plain in (peer.name, host, host.strip("[]")) and plain != ""
        return named or (is_print and peer.fingerprint.startswith(hexed))

    return matches


def table(peers: tuple[Peer, ...]) -> str:
    """The peers for people to read."""
    rows = [("NAME", "FINGERPRINT", "SINCE (UTC)", "LAST SEEN (UTC)")]
    rows += [
        (
            peer.name,
            short(peer.fingerprint),
            f"{peer.since:%Y-%m-%d %H:%M}",
            f"{peer.seen:%Y-%m-%d %H:%M}",
        )
        for peer in peers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _parsed(line: str) -> Peer | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    try:
        since, seen = (
            datetime.strptime(match[key], _TIME).replace(tzinfo=timezone.utc)
            for key in ("since", "seen")
        )
    except ValueError:
        return None
    return Peer(match["print"], match["name"], since, seen)
