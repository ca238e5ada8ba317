"""What takes the access units: the network, a file."""

from __future__ import annotations

from typing import Protocol

from streamer.carrier import CodedUnit


class Outlet(Protocol):
    """An end of the stream."""

    @property
    def wants(self) -> bool:
        """Whether access units are of use now; if nobody wants them nothing is encoded."""
        ...

    def put(self, coded: CodedUnit) -> None:
        """Take an access unit, from the encoder's thread."""
        ...

    async def run(self) -> None:
        """Do the work until cancelled. Raises DaemonError when it cannot go on."""
        ...

    async def finish(self) -> None:
        """Everything was put: send or write the rest, and close."""
        ...
