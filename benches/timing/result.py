"""What one run says of one size and engine."""

from __future__ import annotations

from dataclasses import dataclass

from benches.timing.daemons import DaemonSpeed
from benches.timing.memory import NetworkMemory
from benches.timing.stages import NO_RUNTIME, StageTimes


@dataclass(frozen=True)
class SizeResult:
    """Times, memory, and with --live both programs as they run."""

    size: str  # WxH
    scale: int
    bitrate_bps: int
    times: StageTimes
    memory: dict[str, NetworkMemory]  # by runtime
    live: DaemonSpeed | None

    @property
    def title(self) -> str:
        return f"{self.size} x{self.scale} {self.times.engine}"

    @property
    def has_network(self) -> bool:
        return NO_RUNTIME not in self.times.networks

    @property
    def runtime(self) -> str:
        """The first one that was asked for."""
        return next(iter(self.times.networks))

    @property
    def batch(self) -> int:
        """The first one that was asked for."""
        return next(iter(self.times.networks[self.runtime].restore))
