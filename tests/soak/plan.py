"""What all runs have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.net.emulated_link import EmulatedLink
from tests.net.ends import Ends, running
from tests.net.knobs import Knobs
from tests.net.peers import DencPeer, Stream


@dataclass(frozen=True)
class Plan:
    """`tell` gets how much was done since it was told last: seconds, or reconnects."""

    folder: Path  # for logs
    stream: Stream
    bitrate_bps: int
    peer: DencPeer
    seed: int  # of the link's chance
    tell: Callable[[float], object]

    def running(self, knobs: Knobs) -> AbstractAsyncContextManager[tuple[Ends, EmulatedLink]]:
        """Both ends over such a link."""
        return running(
            self.folder,
            knobs,
            peer=self.peer,
            stream=self.stream,
            bitrate_bps=self.bitrate_bps,
            seed=self.seed,
        )
