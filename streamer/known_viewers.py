"""Which box answers where: the first that does is remembered, another one is refused."""

from __future__ import annotations

import logging

from daemon.errors import DaemonError
from daemon.log import event
from daemon.peer_book import PeerBook
from daemon.state import State
from link.identity import short

_log = logging.getLogger(__name__)


class KnownViewers:
    """The `link.whip_http.Pins` of a streamer. `own` is the fingerprint of this box."""

    def __init__(self, state: State, own: str) -> None:
        self._book = PeerBook(state.viewers)
        self._own = own
        self._option = state.option

    def refusal(self, authority: str, fingerprint: str) -> str | None:
        if fingerprint == self._own:
            return None
        try:
            known = self._book.find(name=authority)
        except DaemonError as error:
            return str(error)
        if known is None or known.fingerprint == fingerprint:
            return None
        return (
            f"another box answers at {authority} ({short(fingerprint)}) than the one known since "
            f"{known.since:%Y-%m-%d} ({short(known.fingerprint)}): nothing was sent. If the viewer "
            f"is new or began anew: denc-stream forget {authority}{self._option}"
        )

    def keep(self, authority: str, fingerprint: str) -> None:
        if fingerprint == self._own:
            return
        try:
            known = self._book.find(name=authority)
            if known is not None:
                self._book.touch(known)
                return
            self._book.add(fingerprint, authority)
        except DaemonError as error:
            event(_log, str(error), level=logging.ERROR)
            return
        event(_log, "viewer remembered", peer=authority, fingerprint=short(fingerprint))
