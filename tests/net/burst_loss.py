"""Losses alone or in bursts: Gilbert-Elliott, as libwebrtc's `SimulatedNetwork` has it."""

from __future__ import annotations

import random

from tests.net.knobs import Knobs


class BurstLoss:
    """Two states: in the bad one every datagram is lost, in the good one none.

    From bad to good with 1 / avg_burst_loss, from good to bad so that the share of lost datagrams
    is loss_percent (Gilbert 1960; `SimulatedNetwork::UpdateCapacityQueue`).
    """

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._bursting = False

    def takes(self, knobs: Knobs) -> bool:
        """Whether the next datagram is lost."""
        lost = knobs.loss_percent / 100
        if not lost:
            self._bursting = False
            return False
        begins = goes_on = lost
        if knobs.avg_burst_loss is not None:
            goes_on = 1 - 1 / knobs.avg_burst_loss
            begins = lost / (1 - lost) / knobs.avg_burst_loss
        self._bursting = self._random.random() < (goes_on if self._bursting else begins)
        return self._bursting
