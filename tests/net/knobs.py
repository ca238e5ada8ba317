"""What one direction of a link is like, named as libwebrtc's `BuiltInNetworkBehaviorConfig`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """The defaults are a perfect link. Raises ValueError for what no link can be."""

    capacity_kbps: float | None = None  # 1000 bit/s; None: without bound, 0: nothing leaves
    queue_packets: int | None = None  # waiting or being sent; one more is dropped. None: no bound
    queue_delay_ms: float = 0.0  # propagation, one way; libwebrtc's name for it
    delay_stddev_ms: float = 0.0  # of a normal distribution around it, cut off at zero
    allow_reordering: bool = False  # whether that jitter lets datagrams overtake each other
    loss_percent: float = 0.0
    avg_burst_loss: float | None = None  # datagrams; None: each is lost by itself
    reorder_percent: float = 0.0  # of the datagrams come late ...
    reorder_delay_ms: float = 20.0  # ... by up to so much, and are overtaken
    duplicate_percent: float = 0.0
    blackout: bool = False  # nothing arrives

    def __post_init__(self) -> None:
        for name in ("loss_percent", "reorder_percent", "duplicate_percent"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"{name} is {getattr(self, name)}, not a percentage")
        for name in ("queue_delay_ms", "delay_stddev_ms", "reorder_delay_ms"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)}, not a time")
        if self.capacity_kbps is not None and not (
            math.isfinite(self.capacity_kbps) and self.capacity_kbps >= 0
        ):
            raise ValueError(f"capacity_kbps is {self.capacity_kbps}")
        if self.queue_packets is not None and self.queue_packets < 1:
            raise ValueError("a queue of less than one packet lets nothing through")
        if self.avg_burst_loss is not None:
            self._check_burst(self.avg_burst_loss)

    def _check_burst(self, length: float) -> None:
        """The gaps between the bursts cannot be shorter than one datagram."""
        lost = self.loss_percent / 100
        if not (length >= 1 and math.isfinite(length)):
            raise ValueError(f"avg_burst_loss is {length}: a burst has at least one datagram")
        if lost >= 1 or lost / (1 - lost) > length:
            raise ValueError(f"{self.loss_percent}% of loss needs longer bursts than {length}")
