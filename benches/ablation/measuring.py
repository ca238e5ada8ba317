"""The points of every configuration on every clip; each is kept as soon as it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benches import BenchError
from benches.ablation.carried import CarriedBench
from benches.ablation.configurations import DEFAULT, UNRESTORED, Configuration
from benches.ablation.makers import Maker
from benches.clip_bench import ClipBench, Extra, taken
from benches.methods import X265_NATIVE
from benches.plan import Plan
from benches.points import Key, Point, ResultsFile
from benches.views import View
from engines.codec import PLAIN, open_restorer
from engines.evaluation.clips import Clip, ClipEntry, read_clip
from engines.weight_store import NO_NETWORK

POINTS_FOLDER = "ablation-points"  # beside ablation.json
SHARED = (DEFAULT, X265_NATIVE, UNRESTORED)  # methods of one bench, which shares their streams


@dataclass(frozen=True)
class Ablation:
    """What is measured: rows, at rates (720p-equivalent kbit/s), of the view that denc has."""

    view: View
    rows: tuple[Configuration, ...]
    rates_kbps: tuple[float, ...]
    extras: tuple[Extra, ...] = ()
    scale: int | None = None  # of denc; None: as the streamer comes to it

    def __post_init__(self) -> None:
        if self.view.encoder.network_id == NO_NETWORK:
            raise BenchError(f"there is no network to take away ({self.view.reason})")

    @property
    def methods(self) -> list[str]:
        """Of the points: denc first, whose scales the others take, then what shares its bench."""
        rows = [row.method for row in self.rows]
        return list(dict.fromkeys([DEFAULT, X265_NATIVE, *(m for m in SHARED if m in rows), *rows]))

    @property
    def wanted(self) -> list[tuple[str, float]]:
        """Method and rate of every point of a clip, in the order of measuring."""
        return [(method, rate) for method in self.methods for rate in self.rates_kbps]

    def source_of(self, method: str, entry: ClipEntry) -> str:
        """For `Point.source`."""
        base = self.plan(self._row(DEFAULT)).source_of(
            X265_NATIVE if method == X265_NATIVE else DEFAULT,
            entry,
            taken(self.extras, entry.frames),
        )
        return base if method == X265_NATIVE else f"{base}; {self._row(method).settings}"

    def bench(self, clip: Clip, method: str, scale: int | None) -> ClipBench:
        """What measures a method; `scale` that denc comes to, where the method has none."""
        if method in SHARED:
            return ClipBench(clip, self.plan(self._row(DEFAULT)), self.extras)
        row = self._row(method)
        plan = replace(self.plan(row), scale=row.scale or scale)
        if row.coder is None:
            return ClipBench(clip, plan, self.extras)
        return CarriedBench(clip, plan, row.coder, self.extras)

    def plan(self, row: Configuration) -> Plan:
        """With the view of a row; denc's stream is also shown without restoration."""
        shown = [row, *(r for r in self.rows if (row.method, r.method) == (DEFAULT, UNRESTORED))]
        views = tuple(self._view(one) for one in shown)
        return Plan(
            views,
            self.rates_kbps,
            (X265_NATIVE,),
            row.scale or self.scale,
            row.bits,
            guided=row.guided,
        )

    def _view(self, row: Configuration) -> View:
        maker = Maker(self.view.encoder, row.reduction, row.levels)
        restorer = self.view.restorer
        if not row.restored:
            restorer = open_restorer(PLAIN, b"", threads=1)
        return replace(self.view, method=row.method, encoder=maker, restorer=restorer)

    def _row(self, method: str) -> Configuration:
        return next(row for row in self.rows if row.method == method)


class _ClipRun:
    """One clip, read when something of it is to be measured."""

    def __init__(self, ablation: Ablation, entry: ClipEntry) -> None:
        self._ablation, self._entry = ablation, entry
        self._clip: Clip | None = None
        self._group = ""
        self._benches: dict[int | None, ClipBench] = {}  # of the group, by scale

    def measure(self, method: str, rate_kbps: float, scale: int | None, source: str) -> Point:
        """A point; `scale` is the one that denc comes to."""
        self._clip = self._clip or read_clip(self._entry)
        group = DEFAULT if method in SHARED else method
        if group != self._group:
            self._group, self._benches = group, {}  # a group's streams take much memory
        if group == DEFAULT:
            scale = None
        if scale not in self._benches:
            self._benches[scale] = self._ablation.bench(self._clip, method, scale)
        return self._benches[scale].measure(method, rate_kbps, source)[0]


def measure_all(
    ablation: Ablation,
    entries: Sequence[ClipEntry],
    out: Path,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Point]:
    """The points, old and new; `progress` is told of each.

    Raises BenchError and EvaluationError for what cannot be measured.
    """
    results = ResultsFile(out / POINTS_FOLDER, {"rates_kbps": ablation.rates_kbps})
    keys: list[Key] = [(entry.name, *point) for entry in entries for point in ablation.wanted]
    for entry in entries:
        run, scales = _ClipRun(ablation, entry), dict[float, int]()
        for method, rate in ablation.wanted:
            source = ablation.source_of(method, entry)
            point = results.find((entry.name, method, rate), source)
            if point is None:
                point = run.measure(method, rate, scales.get(rate), source)
                results.add(point)
            if method == DEFAULT:
                scales[rate] = point.scale
            progress(f"{entry.name} {method} {rate:g}")
    results.put_first(keys)
    results.finish({})
    return results.points
