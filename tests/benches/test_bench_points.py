"""The results file: what it keeps, and what it will not overwrite."""

import json
from dataclasses import replace

import pytest
from made_points import POINT

from benches import BenchUsageError
from benches.points import ResultsFile, hd_factor


def test_a_point_survives_being_stopped_and_is_found_again(tmp_path):
    ResultsFile(tmp_path / "out", {}).add(POINT)
    again = ResultsFile(tmp_path / "out", {})
    assert again.find(POINT.key, POINT.source) == POINT
    assert json.loads(again.path.read_text())["schema"] == 2


def test_a_point_of_another_source_is_measured_again(tmp_path):
    results = ResultsFile(tmp_path, {})
    results.add(POINT)
    assert results.find(POINT.key, "24 frames") is None
    assert results.of([POINT.key]) == [POINT]
    assert results.of([]) == []


def test_points_that_were_asked_for_stand_first_and_the_others_are_kept(tmp_path):
    results = ResultsFile(tmp_path, {})
    other = replace(POINT, target_kbps=300.0)
    results.add(other)
    results.add(POINT)
    results.put_first([POINT.key])
    results.finish({"bd_rate_mean": {"lite@0": {"psnr_y": -12.3}}})
    document = json.loads(results.path.read_text())
    assert [point["target_kbps"] for point in document["points"]] == [150, 300]
    assert document["bd_rate_mean"]["lite@0"]["psnr_y"] == -12.3


@pytest.mark.parametrize("text", ["{", '{"schema": 1, "points": []}', '{"schema": 2}', "[]"])
def test_a_foreign_results_file_is_never_overwritten(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(BenchUsageError, match="move it away"):
        ResultsFile(tmp_path, {})
    assert (tmp_path / "results.json").read_text() == text


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchUsageError, match="--out"):
        ResultsFile(tmp_path / "file" / "out", {})


def test_720p_equivalent_goes_by_pixels():
    assert 100 * hd_factor(640, 360) == 400
