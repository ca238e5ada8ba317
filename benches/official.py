"""Official LPIPS, DISTS, MUSIQ and CLIP-IQA through `pyiqa`, which downloads their weights.

What cannot be had is left out with one sentence: the rest of the bench goes on. FVD is not among
them: pyiqa measures pictures, and FVD needs a video network and many clips.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, cast

import numpy as np
import torch

from benches import BenchUsageError
from benches.measured import OFFICIAL
from benches.perceptual import rgb_tensor, torch_device
from engines.evaluation.sampling import spread
from engines.frame import Planes


class Metric(Protocol):
    """What is needed of a metric of pyiqa."""

    metric_mode: str  # FR: with a reference, NR: without

    def __call__(self, *pictures: torch.Tensor) -> torch.Tensor: ...


class Official:
    """Those of the measures that could be loaded, on frames spread over the clip."""

    def __init__(self, metrics: dict[str, Metric], frames: int) -> None:
        self.names: Sequence[str] = tuple(metrics)
        self._metrics, self._frames = metrics, frames
        self._device = torch_device()

    def frames_of(self, count: int) -> int:
        """How many frames of a clip of `count` are looked at."""
        return len(spread(count, self._frames))

    def measure(self, test: Sequence[Planes], reference: Sequence[Planes]) -> dict[str, float]:
        """Means by name of `test`, against `reference` where a measure has one."""
        numbers = spread(len(reference), self._frames)
        with torch.inference_mode():
            return {
                name: float(np.mean([self._frame(metric, test[n], reference[n]) for n in numbers]))
                for name, metric in self._metrics.items()
            }

    def _frame(self, metric: Metric, test: Planes, reference: Planes) -> float:
        pictures = [test, reference] if metric.metric_mode == "FR" else [test]
        return float(metric(*(rgb_tensor(planes, self._device) for planes in pictures)))


def open_official(
    names: Iterable[str], frames: int, warn: Callable[[str], None]
) -> Official | None:
    """The measures of these names; `warn` is told of each that is left out; None: of all.

    Raises BenchUsageError for a name that is not known.
    """
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in OFFICIAL]
    if unknown:
        raise BenchUsageError(
            f"--pyiqa: there is no {', '.join(unknown)}; known: {', '.join(OFFICIAL)}"
        )
    try:
        create = cast(Callable[..., Metric], importlib.import_module("pyiqa").create_metric)
    except ImportError as error:
        warn(
            f"without {', '.join(wanted)}: pyiqa cannot be loaded ({_said(error)});"
            " pip install 'denc[pyiqa]'"
        )
        return None
    loaded = {name: _load(create, name, warn) for name in wanted}
    metrics = {name: metric for name, metric in loaded.items() if metric is not None}
    return Official(metrics, frames) if metrics else None


def _load(create: Callable[..., Metric], name: str, warn: Callable[[str], None]) -> Metric | None:
    try:
        return create(name, device=torch_device())
    except Exception as error:  # of any kind: urllib, huggingface_hub, torch, a full disk
        warn(f"without {name}: pyiqa cannot get its weights ({_said(error)})")
        return None


def _said(error: Exception) -> str:
    """In one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
