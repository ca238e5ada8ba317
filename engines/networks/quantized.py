"""Convolutions in 8-bit integers: half the time of fp32 on a CPU without instructions for them.

What enters and leaves is quantized to unsigned 8 bits, uniformly over a range that was measured
(`engines.training.ranges`), each filter's weights to signed 7 bits: two products of 255 x 63 fit
the 16 bits in which AVX2 adds them, and every CPU comes to the same integers. In torch and in the
exported graphs they stand as quantizing and dequantizing around a float convolution, which ONNX
Runtime makes one of integers. Gradients pass straight through the rounding.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

Range: TypeAlias = tuple[float, float]  # least and greatest value, zero between them
Grid: TypeAlias = tuple[float, int]
ACTIVATION_MAX = 255
WEIGHT_MAX = 63
SMALLEST_STEP = 1e-6


class QuantizedConv2d(nn.Conv2d):
    """A 3 x 3 convolution that keeps the size, in integers once its ranges are known.

    `input_range` and `output_range` are (2,): least and greatest value, with zero between them;
    both zeros: unknown. An output that the next layer quantizes anyway, after a ReLU (`chained`),
    is left as it is. `exact` switches to floats.
    """

    input_range: Tensor
    output_range: Tensor

    def __init__(
        self, channels: int, out_channels: int, dilation: int = 1, *, chained: bool = False
    ) -> None:
        super().__init__(channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.chained, self.exact = chained, False
        self.register_buffer("input_range", torch.zeros(2))
        self.register_buffer("output_range", torch.zeros(2))
        self._grids: tuple[Grid | None, Grid | None] | None = None  # of the ranges

    def set_ranges(self, input_range: Range, output_range: Range) -> None:
        """From now on integers, within these."""
        self.input_range.copy_(torch.tensor(input_range))
        self.output_range.copy_(torch.tensor(output_range))
        self._grids = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, O, h, w)."""
        if self._grids is None:  # once: reading them makes a GPU wait
            self._grids = _grid(self.input_range), _grid(self.output_range)
        before, after = self._grids
        if self.exact or before is None or after is None:
            exactly: Tensor = self._conv_forward(x, self.weight, self.bias)
            return exactly
        y: Tensor = self._conv_forward(_rounded(x.float(), before), self._weights(), self.bias)
        return y if self.chained else _rounded(y.float(), after)

    def _weights(self) -> Tensor:
        weight = self.weight.float()
        step = (weight.detach().abs().amax((1, 2, 3)) / WEIGHT_MAX).clamp(min=SMALLEST_STEP)
        # an integer's range is looked at, for which a GPU would have to wait
        middle = torch.zeros_like(step, dtype=step.dtype if step.is_cuda else torch.int32)
        out: Tensor = torch.fake_quantize_per_channel_affine(weight, step, middle, 0, -128, 127)
        return out

    def _load_from_state_dict(self, *args: Any, **named: Any) -> None:
        super()._load_from_state_dict(*args, **named)
        self._grids = None


def _rounded(x: Tensor, grid: Grid) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(x, *grid, 0, ACTIVATION_MAX)


def _grid(bounds: Tensor) -> Grid | None:
    """A range's step, and which of 0..ACTIVATION_MAX stands for zero; None where it is unknown."""
    least, greatest = bounds.tolist()
    if least == greatest:
        return None
    return grid_of((least, greatest))


def grid_of(bounds: Range) -> Grid:
    """The step between a range's values, and which of 0..ACTIVATION_MAX stands for zero."""
    least, greatest = bounds
    step = max((greatest - least) / ACTIVATION_MAX, SMALLEST_STEP)
    return step, min(max(round(-least / step), 0), ACTIVATION_MAX)


def convolution(
    channels: int, out_channels: int, quantized: bool, dilation: int = 1, *, chained: bool = False
) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size, as `QuantizedConv2d` or in floats."""
    if quantized:
        return QuantizedConv2d(channels, out_channels, dilation, chained=chained)
    return nn.Conv2d(channels, out_channels, 3, padding=dilation, dilation=dilation)


def set_exact(network: nn.Module, exact: bool) -> None:
    """Whether its quantized convolutions compute in floats."""
    for module in network.modules():
        if isinstance(module, QuantizedConv2d):
            module.exact = exact
