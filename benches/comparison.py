"""Methods against each other: BD-rates per clip, their means, and what is worst.

A pair is a method of denc, or Lanczos on its stream, against an anchor, on one clip in one measure.
Rates are as sent (kbit/s of access units). The anchor `x265-scales` is the upper hull of x265 at
all its sizes: at each rate the best of their curves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

from benches.measured import MEASURES, Measure, shown
from benches.methods import HULL, HULL_METHODS, LANCZOS, X265_NATIVE, in_order, is_denc
from benches.points import NO_TARGET, Point
from engines.evaluation.rate import Curve, bd_quality, bd_rate, upper_hull


@dataclass(frozen=True)
class MatchedRate:
    """Where two curves share no quality: the rates at the nearest two that were measured."""

    percent: float  # rate of the method against the anchor's
    quality: float  # of the method, in the measure's unit
    anchor_quality: float  # not the same: the nearest that was measured


@dataclass(frozen=True)
class Pair:
    """One method against one anchor."""

    clip: str
    method: str
    anchor: str
    measure: str
    bd_rate: float | None  # percent at equal quality, negative saves bits; None: no overlap
    bd_quality: float | None  # method less anchor at equal rate, in the measure's unit
    matched_rate: MatchedRate | None  # only where there is no bd_rate


@dataclass(frozen=True)
class Deficit:
    """Where a method is furthest below the hull of x265 at the same rate (or least above it)."""

    deficit: float  # hull less method: positive is worse than x265
    clip: str
    target_kbps: float
    kbps: float
    vmaf_neg: float
    hull: float


@dataclass(frozen=True)
class BdRate:
    """Mean over the clips of a BD-rate, percent, and how many clips had an overlap."""

    percent: float | None
    clips: int


BdRates: TypeAlias = dict[str, dict[str, dict[str, BdRate]]]  # anchor -> method -> measure


def at_rates(points: Iterable[Point]) -> list[Point]:
    """Without those at a fixed setting."""
    return [point for point in points if point.target_kbps != NO_TARGET]


def curve(points: Iterable[Point], measure: Measure) -> Curve | None:
    """Quality (`Measure.sign` makes it rise) over kbit/s; None of fewer than two rising points."""
    known = [(p.kbps, p.measures[measure.name]) for p in points if measure.name in p.measures]
    try:
        return Curve([rate for rate, _ in known], [measure.sign * value for _, value in known])
    except ValueError:
        return None


def curves_of(points: Sequence[Point], measure: Measure) -> dict[tuple[str, str], Curve | None]:
    """By clip and method, the hull among them where x265 was measured at several sizes."""
    there = at_rates(points)
    found: dict[tuple[str, str], Curve | None] = {}
    for clip in dict.fromkeys(p.clip for p in there):
        own = {
            method: curve((p for p in there if (p.clip, p.method) == (clip, method)), measure)
            for method in dict.fromkeys(p.method for p in there)
        }
        for method in methods_in(there):
            found[clip, method] = _hull(own) if method == HULL else own[method]
    return found


def methods_in(points: Iterable[Point]) -> list[str]:
    """The methods that have points at rates, and the hull where there are its parts."""
    found = list(dict.fromkeys(point.method for point in at_rates(points)))
    return in_order([*found, HULL] if {*HULL_METHODS} <= {*found} else found)


def pairs(points: Sequence[Point]) -> list[Pair]:
    """Every method of denc and Lanczos against every other that is not denc's."""
    found: list[Pair] = []
    others = [method for method in methods_in(points) if not is_denc(method)]
    for measure in shown(name for point in points for name in point.measures):
        curves = curves_of(points, measure)
        found += [
            _pair(clip, method, anchor, measure, curves)
            for clip, method in curves
            if method == LANCZOS or is_denc(method)
            for anchor in others
            if anchor != method
        ]
    return found


def bd_rates(found: Iterable[Pair]) -> BdRates:
    """Means over the clips."""
    values: dict[tuple[str, str, str], list[float | None]] = {}
    for pair in found:
        values.setdefault((pair.anchor, pair.method, pair.measure), []).append(pair.bd_rate)
    means: BdRates = {}
    for (anchor, method, measure), all_clips in values.items():
        known = [value for value in all_clips if value is not None]
        mean = BdRate(fmean(known) if known else None, len(known))
        means.setdefault(anchor, {}).setdefault(method, {})[measure] = mean
    return means


def worst_vmaf_neg(points: Sequence[Point]) -> dict[str, Deficit]:
    """By method of denc, over all clips and rates; rates below the hull's lowest are left out, as
    x265 cannot go there at all."""
    curves = curves_of(points, MEASURES["vmaf_neg"])
    worst: dict[str, Deficit] = {}
    for point in at_rates(points):
        hull = curves.get((point.clip, HULL))
        if hull is None or not is_denc(point.method):
            continue
        there = hull.quality_at(min(point.kbps, float(hull.rates[-1])))
        if there is not None:
            own = point.measures["vmaf_neg"]
            place = point.clip, point.target_kbps, point.kbps
            deficit = Deficit(there - own, *place, own, there)
            if point.method not in worst or deficit.deficit > worst[point.method].deficit:
                worst[point.method] = deficit
    return worst


def headline(found: Sequence[Pair]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The mean BD-rates at the top of results.json: against x265 at full size, and at its best."""
    means = bd_rates(found)
    for anchor, suffix in ((X265_NATIVE, ""), (HULL, "_hull")):
        denc = {m: row for m, row in means.get(anchor, {}).items() if is_denc(m)}
        yield (
            f"bd_rate_mean{suffix}",
            {
                method: {name: value.percent for name, value in row.items()}
                for method, row in denc.items()
            },
        )
        yield (
            f"bd_rate_clips{suffix}",
            {
                method: {name: value.clips for name, value in row.items()}
                for method, row in denc.items()
            },
        )


def _hull(curves: Mapping[str, Curve | None]) -> Curve | None:
    sizes = [size for method in HULL_METHODS if (size := curves[method]) is not None]
    return upper_hull(sizes) if sizes else None


def _pair(
    clip: str,
    method: str,
    anchor: str,
    measure: Measure,
    curves: Mapping[tuple[str, str], Curve | None],
) -> Pair:
    test, other = curves[clip, method], curves[clip, anchor]
    if test is None or other is None:
        return Pair(clip, method, anchor, measure.name, None, None, None)
    rate, quality = bd_rate(other, test), bd_quality(other, test)
    return Pair(
        clip,
        method,
        anchor,
        measure.name,
        rate,
        None if quality is None else measure.sign * quality,
        _matched(other, test, measure) if rate is None else None,
    )


def _matched(anchor: Curve, test: Curve, measure: Measure) -> MatchedRate:
    """One curve lies above the other: the worst point of that one beside the best of the other."""
    mine, its = (0, -1) if test.qualities[0] >= anchor.qualities[-1] else (-1, 0)
    return MatchedRate(
        percent=100 * float(test.rates[mine] / anchor.rates[its] - 1),
        quality=measure.sign * float(test.qualities[mine]),
        anchor_quality=measure.sign * float(anchor.qualities[its]),
    )
