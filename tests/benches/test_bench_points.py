"""The results file and what is made of it."""

import json
from dataclasses import replace

import pytest

from benches import BenchError, summary
from benches.points import Point, ResultsFile, hd_factor

POINT = Point(
    clip="head", method="x265", source="48 frames", target_kbps=150, kbps=100, kbps_720p=151,
    frames=48, scale=1, crf=30.25, qp=31.5, psnr_y=30, vmaf=40, vmaf_neg=38, encode_ms=5, show_ms=1,
)  # fmt: skip


def test_a_point_survives_being_stopped_and_is_found_again(tmp_path):
    ResultsFile(tmp_path / "out", {}).add(POINT)
    again = ResultsFile(tmp_path / "out", {})
    assert again.find("head", "x265", 150, "48 frames") == POINT
    assert json.loads(again.path.read_text())["schema"] == 1


def test_a_point_of_another_source_is_measured_again(tmp_path):
    results = ResultsFile(tmp_path, {})
    results.add(POINT)
    assert results.find("head", "x265", 150, "24 frames") is None
    results.keep_only(set())
    assert results.points == []


@pytest.mark.parametrize("text", ["{", '{"schema": 2, "points": []}', '{"schema": 1}', "[]"])
def test_a_foreign_results_file_is_never_overwritten(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(BenchError, match="move it away"):
        ResultsFile(tmp_path, {})
    assert (tmp_path / "results.json").read_text() == text


def test_720p_equivalent_goes_by_pixels():
    assert 100 * hd_factor(640, 360) == 400


def _curve(method: str, factor: float, lpips: bool = True) -> list[Point]:
    return [
        replace(
            POINT, method=method, target_kbps=rate, kbps=rate * factor, kbps_720p=rate * factor,
            psnr_y=20 + rate / 50, lpips_sq=0.6 - rate / 2000 if lpips else None,
        )
        for rate in (100.0, 200.0, 400.0, 800.0)
    ]  # fmt: skip


def test_half_the_bits_are_a_bd_rate_of_minus_fifty_in_both_directions_of_better():
    found = summary.bd_rates([*_curve("x265", 1.0), *_curve("denc", 0.5)])
    assert found["x265"]["psnr_y"].percent == pytest.approx(-50)
    assert found["x265"]["lpips_sq"].percent == pytest.approx(-50)
    assert found["x265"]["lpips_sq"].clips == 1
    assert found["x265"]["dists_vgg"].percent is None
    assert "x265-half" not in found


def test_table_tells_rates_that_a_method_cannot_reach():
    rows = summary.table([*_curve("x265", 1.2, lpips=False), *_curve("denc", 1.0)])
    assert [row.missed for row in rows] == [1, 0] * 4
    assert rows[0].measures["lpips_sq"] is None
    text = summary.text([*_curve("x265", 1.2), *_curve("denc", 1.0)])
    assert "(1 cannot go so low)" in text
    assert "x265 medium zerolatency" in text


def test_gain_is_what_restoring_adds_to_the_same_stream():
    lanczos = _curve("lanczos", 1.0)
    denc = [replace(p, method="denc", psnr_y=p.psnr_y + 0.25) for p in lanczos]
    found = summary.gains([*lanczos, *denc, *_curve("x265", 1.0)])
    assert list(found) == [100.0, 200.0, 400.0, 800.0]
    assert found[200.0]["psnr_y"] == pytest.approx(0.25)
    assert found[200.0]["dists_vgg"] is None
    assert "+0.250" in summary.text([*lanczos, *denc])
