"""An engine is loaded, warmed and timed in the background, while another one restores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engines.codec import Restorer
from engines.latent import Latent

RUNS = 4  # after the first; the fastest counts, because others want the processor too
GIVE_UP = 3.0  # times the limit: no further run


@dataclass(frozen=True)
class Outcome:
    """What came of it; `error` says in one sentence why there is no restorer."""

    restorer: Restorer | None
    cost_us: float = 0.0
    error: str = ""


class Probe:
    """Begins at once; `outcome` is None while it is under way."""

    def __init__(self, load: Callable[[], Restorer], latent: Latent, limit_us: float) -> None:
        self.outcome: Outcome | None = None
        self._load, self._latent, self._limit_us = load, latent, limit_us
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        self.outcome = probe(self._load, self._latent, self._limit_us)


def probe(load: Callable[[], Restorer], latent: Latent, limit_us: float) -> Outcome:
    """Here and now; an engine that is far beyond the limit is not run a third time."""
    try:
        restorer = load()
        restorer.restore([latent])
        best_us = float("inf")
        for _ in range(RUNS):
            started = time.perf_counter()
            restorer.restore([latent])
            best_us = min(best_us, (time.perf_counter() - started) * 1e6)
            if best_us > GIVE_UP * limit_us:
                break
    except Exception as error:  # a runtime may raise anything; the one in use goes on
        return Outcome(None, error=" ".join(str(error).split()) or type(error).__name__)
    return Outcome(restorer, best_us)
