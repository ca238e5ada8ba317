"""Where the restored pictures of one stream go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from daemon.figures import Figures
from viewer.latency import Latency
from viewer.picture import Shown


@dataclass(frozen=True)
class Outlet:
    """`show` is called in the restoring thread and must not wait; `live`: the latency of a picture
    counts from its capture where its sender tells that, else from its arrival."""

    show: Callable[[Shown], None]
    figures: Figures
    latency: Latency
    live: bool
