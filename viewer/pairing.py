"""Which streamers may send to this viewer: the gate of its WHIP server.

    never paired with anybody   the first box that proves its key is paired (as with the first ssh)
    afterwards                  the boxes that are paired; `denc-view pair` lets one more in
    this box itself             always: who has its key is its owner

With a token in the configuration nobody is paired without `denc-view pair`: who set one expects
that a stranger needs it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from daemon.errors import DaemonError, RunError
from daemon.log import event
from daemon.peer_book import PeerBook
from daemon.state import State
from link.files import write_atomically
from link.identity import Box, short
from link.whip_door import NOT_A_BOX

WINDOW_MINUTES = 5
WINDOW_MAX_MINUTES = 24 * 60
MAX_NAMES = 5
TELL_EVERY_S = 10.0  # of strangers that knock, however many
NO_WORDS_FOR_STRANGERS = "this viewer cannot read its list of paired boxes: see its log"

_log = logging.getLogger(__name__)


class Window:
    """The time in which one more streamer may pair; a file, so that any program can open it."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def open(self, minutes: float) -> None:
        """Raises RunError where the file cannot be written."""
        try:
            write_atomically(self._path, f"{self._clock() + minutes * 60:.0f}\n".encode())
        except OSError as error:
            raise RunError(f"{self._path}: cannot open the window: {error.strerror}") from error

    def is_open(self) -> bool:
        """Whatever does not read as a time in the next day is a closed window."""
        try:
            left_s = float(self._path.read_bytes()[:32]) - self._clock()
        except (OSError, ValueError):
            return False
        return 0 < left_s <= WINDOW_MAX_MINUTES * 60

    def close(self) -> None:
        """Raises RunError where the file cannot be removed: the window would stay open."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{self._path}: cannot close the window: {error.strerror}") from error


class Pairing:
    """A `link.whip_door.Gate`. `own` is the fingerprint of this box."""

    def __init__(self, state: State, own: str, *, first_may_pair: bool) -> None:
        self._book = PeerBook(state.streamers)
        self._window = Window(state.pairing)
        self._own = own
        self._first_may_pair = first_may_pair
        self._command = f"denc-view pair{state.option}"
        self._told: Box | None = None
        self._told_s = -TELL_EVERY_S
        self._told_error = ""  # of reading the list for the sessions that go on

    def summary(self) -> str:
        """Who may come, in a few words. Raises RunError where the list cannot be read."""
        names = [peer.name for peer in self._book.peers()]
        if names:
            return "paired: " + ", ".join(names[:MAX_NAMES]) + (", ..." * (len(names) > MAX_NAMES))
        return "the first streamer is paired" if self._may_pair() else "nobody yet: denc-view pair"

    def knows(self, box: Box) -> bool:
        """Also while the list cannot be read, which is told once: that forgets nobody."""
        if box.fingerprint == self._own:
            return True
        try:
            known = self._is_known(box)
        except DaemonError as error:
            if str(error) != self._told_error:
                event(_log, f"{error}; running sessions go on", level=logging.ERROR)
            self._told_error = str(error)
            return True
        self._told_error = ""
        return known

    def refusal(self, box: Box) -> str | None:
        try:
            if self._is_known(box):
                return None
            if box.name is None:
                return self._refused(box, NOT_A_BOX)
            if self._may_pair():
                return None
        except DaemonError as error:
            event(_log, str(error), level=logging.ERROR)
            return NO_WORDS_FOR_STRANGERS
        return self._refused(
            box,
            f"this viewer is not paired with {box.name} ({short(box.fingerprint)}): to let it "
            "in, run denc-view pair on the viewer's box",
        )

    def admit(self, box: Box) -> bool:
        """Pairs a box that has proven its key, where it may; again asked, for much may have
        happened since its offer."""
        try:
            if self._is_known(box):
                if peer := self._book.find(fingerprint=box.fingerprint):
                    self._book.touch(peer)
                return True
            if box.name is None or not self._may_pair():
                return False
            self._window.close()  # before anybody is in: it lets in one
            self._book.add(box.fingerprint, box.name)
        except DaemonError as error:
            event(_log, str(error), level=logging.ERROR)
            return False
        event(_log, "paired", box=box.name, fingerprint=short(box.fingerprint))
        return True

    def _is_known(self, box: Box) -> bool:
        own = box.fingerprint == self._own
        return own or self._book.find(fingerprint=box.fingerprint) is not None

    def _may_pair(self) -> bool:
        return self._window.is_open() or (self._first_may_pair and not self._book.was_used)

    def _refused(self, box: Box, why: str) -> str:
        """Tells the owner of each stranger once, and of no more than one in ten seconds."""
        told = Box(box.fingerprint if box.name else "", box.name)
        now_s = time.monotonic()
        if told != self._told and now_s - self._told_s >= TELL_EVERY_S:
            self._told, self._told_s = told, now_s
            event(
                _log,
                "refused a streamer that is not paired",
                level=logging.WARNING,
                box=box.name or "no box",
                fingerprint=short(box.fingerprint),
                to_let_it_in=self._command if box.name else "--token",
            )
        return why
