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
    engine: str  # of both ends
    seed: int  # of the link's chance
    tell: Callable[[float], object]

    def running(
        self, knobs: Knobs, peer: DencPeer | None = None
    ) -> AbstractAsyncContextManager[tuple[Ends, EmulatedLink]]:
        """Both ends over such a link; `peer`: run in another way than as they are."""
        return running(
            self.folder,
            knobs,
            peer=peer or DencPeer(engine=self.engine),
            stream=self.stream,
            bitrate_bps=self.bitrate_bps,
            seed=self.seed,
        )
