"""Time per stage, on a picture that is small enough for a test."""

import json

import pytest

from benches import stages
from benches.stages import ANCHOR, GUIDE, STREAMER, VIEWER, Stopwatch, main, measure_size, table


@pytest.fixture
def few_frames(monkeypatch):
    monkeypatch.setattr(stages, "FRAMES", 3)
    monkeypatch.setattr(stages, "WARM_UP", 1)
    monkeypatch.setattr(stages, "GUIDE_EVERY", 1)


def test_every_stage_of_both_programs_is_timed(few_frames):
    result = measure_size(128, 96, "plain", 2)
    assert set(result.stages) == {*STREAMER, *VIEWER, ANCHOR}
    assert all(times.median_ms > 0 for times in result.stages.values())
    assert result.scale == 2
    assert result.live is None
    text = table([result])
    for name in (*STREAMER, *VIEWER, "128x96 x2", "x265 medium zerolatency, native"):
        assert name in text


def test_fits_of_the_network_are_timed_too(few_frames):
    result = measure_size(128, 96, "auto", 2)
    assert set(result.stages) == {*STREAMER, *VIEWER, GUIDE, ANCHOR}
    assert "guide, ms once a second" in table([result])


def test_warm_up_is_not_counted(few_frames):
    watch = Stopwatch()
    watch.wall["a"], watch.cpu["a"] = [9.0, 0.001, 0.003], [9.0, 0.002, 0.004]
    times = watch.times()["a"]
    assert times.median_ms == pytest.approx(2)
    assert times.cpu_ms == pytest.approx(3)


def test_both_programs_tell_their_memory_and_the_streamer_its_speed(monkeypatch):
    monkeypatch.setattr(stages, "ALONE_S", (0.2, 1.0))
    live = stages.measure_live(128, 96, "plain", 2)
    assert live.streamer_mib > 20
    assert live.viewer_mib > 20


def test_json_holds_what_the_table_says(few_frames, tmp_path, capsys):
    path = tmp_path / "stages.json"
    assert main(["--sizes", "128x96", "--engine", "plain", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["sizes"][0]["size"] == "128x96"
    assert main(["--sizes", "wide"]) == 1
    assert "WxH" in capsys.readouterr().err
