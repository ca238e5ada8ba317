"""Constants of the exported graphs."""

from __future__ import annotations

import torch
from torch import Tensor


class Constant:
    """A tensor made on the CPU, and its copies: one a device, since a CUDA graph cannot copy it."""

    def __init__(self, value: Tensor) -> None:
        self._value = value
        self._copies: dict[torch.device, Tensor] = {}

    def beside(self, x: Tensor) -> Tensor:
        """The constant on the device of `x`."""
        if x.device.type == "cpu":
            return self._value
        if x.device not in self._copies:
            with torch.inference_mode(False):  # training may use it as well
                self._copies[x.device] = self._value.to(x.device)
        return self._copies[x.device]
