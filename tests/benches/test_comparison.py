"""Methods against each other, from made-up curves."""

import json
from dataclasses import replace

import pytest
from made_points import POINT, RATES, curve

from benches import compression, summary
from benches.comparison import bd_rates, curves_of, pairs, worst_vmaf_neg
from benches.measured import MEASURES
from benches.methods import CRF28, HULL, HULL_METHODS, LANCZOS, X265_NATIVE
from benches.points import NO_TARGET

SCALES = [point for method in HULL_METHODS for point in curve(method, 1.0)]


def test_half_the_bits_are_a_bd_rate_of_minus_fifty_in_both_directions_of_better():
    found = pairs([*curve(X265_NATIVE), *curve("lite@0", 0.5)])
    assert {(p.method, p.anchor) for p in found} == {("lite@0", X265_NATIVE)}
    by_measure = {pair.measure: pair for pair in found}
    assert by_measure["psnr_y"].bd_rate == pytest.approx(-50)
    assert by_measure["lpips_sq"].bd_rate == pytest.approx(-50)
    assert by_measure["psnr_y"].bd_quality > 0 > by_measure["lpips_sq"].bd_quality
    assert by_measure["psnr_y"].matched_rate is None


def test_curves_without_a_common_quality_get_the_rate_at_the_nearest_one():
    (pair,) = [
        pair
        for pair in pairs([*curve(X265_NATIVE), *curve("lite@1", 0.5, lift=100)])
        if pair.measure == "psnr_y"
    ]
    assert pair.bd_rate is None
    assert pair.bd_quality == pytest.approx(100 + 4.3, abs=2)
    assert pair.matched_rate.percent == pytest.approx(100 * (50 / 800 - 1))
    assert (pair.matched_rate.quality, pair.matched_rate.anchor_quality) == (122, 36)
    worse = pairs([*curve(X265_NATIVE), *curve("lite@1", lift=-100)])
    (lpips,) = [pair for pair in worse if pair.measure == "lpips_sq"]
    assert lpips.matched_rate.percent == pytest.approx(700)
    assert lpips.matched_rate.quality > lpips.matched_rate.anchor_quality


def test_mean_counts_the_clips_that_have_an_overlap():
    points = [
        *curve(X265_NATIVE), *curve("lite@0", 0.5),
        *curve(X265_NATIVE, clip="park"), *curve("lite@0", 0.5, clip="park", lift=100),
    ]  # fmt: skip
    mean = bd_rates(pairs(points))[X265_NATIVE]["lite@0"]["psnr_y"]
    assert mean.clips == 1
    assert mean.percent == pytest.approx(-50)


def test_hull_is_the_best_of_all_sizes_at_every_rate():
    points = [*curve(X265_NATIVE, 1.5), *curve("x265-1/2", 0.8, rates=(100.0, 200.0))]
    points += [*curve("x265-1/3", 4.0), *curve("x265-1/4", 5.0)]
    curves = curves_of(points, MEASURES["psnr_y"])
    hull = curves["head", HULL]
    assert (hull.rates[0], hull.rates[-1]) == pytest.approx((80, 1200))
    assert hull.quality_at(160) == pytest.approx(curves["head", "x265-1/2"].quality_at(160))
    assert hull.rate_at(30) == pytest.approx(curves["head", X265_NATIVE].rate_at(30), rel=1e-3)


def test_without_all_sizes_there_is_no_hull():
    assert ("head", HULL) not in curves_of(curve(X265_NATIVE), MEASURES["psnr_y"])


def test_worst_deficit_names_clip_and_rate_and_leaves_out_what_x265_cannot_reach():
    denc = curve("lite@0", 1.0, lift=2, rates=(50.0, *RATES))
    denc[2] = replace(denc[2], measures={**denc[2].measures, "vmaf_neg": 30.0})
    found = worst_vmaf_neg([*SCALES, *denc])["lite@0"]
    assert (found.clip, found.target_kbps, found.vmaf_neg) == ("head", 200.0, 30.0)
    assert found.hull == pytest.approx(38)
    assert found.deficit == pytest.approx(8)
    better = worst_vmaf_neg([*SCALES, *curve("lite@0", lift=2)])["lite@0"]
    assert better.deficit == pytest.approx(-2)


def test_compression_ratio_stands_beside_the_quality_of_both():
    reference = replace(POINT, method=CRF28, target_kbps=NO_TARGET, bits=2_000_000)
    found = compression.ratios([reference, *curve("lite@0"), *curve(LANCZOS)])
    assert [ratio.ratio for ratio in found] == [20, 10, 5, 2.5]
    assert (found[0].psnr_y, found[0].x265_psnr_y) == (22, 30)
    (first, *_) = compression.means(found)
    assert (first.clip, first.method, first.ratio) == (None, "lite@0", 20)
    assert compression.ratios(curve("lite@0")) == []


def test_findings_have_the_headline_at_the_top_and_fit_into_json():
    points = [*SCALES, *curve(LANCZOS, 0.8), *curve("lite@0", 0.5), *curve("lite@1", 0.6)]
    found = json.loads(json.dumps(summary.findings(points)))
    assert found["bd_rate_mean"]["lite@0"]["psnr_y"] == pytest.approx(-50)
    assert found["bd_rate_clips"]["lite@0"] == dict.fromkeys(found["bd_rate_mean"]["lite@0"], 1)
    assert set(found["bd_rate_mean"]) == {"lite@0", "lite@1"}
    assert found["bd_rate_mean_hull"]["lite@1"]["psnr_y"] == pytest.approx(-40, abs=0.01)
    assert found["bd_rate_clips_hull"]["lite@1"]["psnr_y"] == 1
    assert found["summary"]["bd_rates"][LANCZOS]["lite@0"]["vmaf_neg"]["clips"] == 1


def test_table_tells_rates_that_a_method_cannot_reach():
    rows = summary.table([*curve(X265_NATIVE, 1.2), *curve("lite@0")])
    assert [row.missed for row in rows] == [1, 0] * 4
    assert rows[0].measures["psnr_y"] == 22


def test_hull_stands_in_the_table_with_its_quality_at_the_target():
    rows = {row.method: row for row in summary.table(SCALES) if row.target_kbps == 200}
    assert rows[HULL].measures == pytest.approx(rows[X265_NATIVE].measures)


def test_text_fits_on_a_screen():
    points = [*SCALES, *curve("x265-default"), *curve("svt-av1"), *curve("vp9")]
    points += [*curve(LANCZOS), *curve("lite@0", 0.5), *curve("lite@1", 0.6)]
    lines = summary.text(points).splitlines()
    assert len(lines) <= 30
    assert any(line.startswith("  denc lite@0") and "-50.0% (1)" in line for line in lines)
    assert "VMAF-NEG above" in summary.text(points)
