"""Time per stage, on a picture that is small enough for a test."""

import json
import sys

import pytest

from benches import BenchUsageError
from benches.cli import main
from benches.timing import daemons
from benches.timing.daemons import daemon_speed
from benches.timing.result import SizeResult
from benches.timing.runtimes import open_runtimes
from benches.timing.stages import (
    ANCHOR,
    GUIDE,
    NO_RUNTIME,
    NetworkTimes,
    Setting,
    StageTimes,
    time_stages,
)
from benches.timing.stopwatch import Stopwatch, Times
from benches.timing.targets import targets

SHARED = {"capture", "carrier", "payload", "depayload", "decode", "sink", ANCHOR}


def setting(engine: str, **changes) -> Setting:
    return Setting(128, 96, engine, 2, frames=4, **{"batches": (1, 2), **changes})


def test_every_stage_of_both_programs_is_timed():
    told: list[int] = []
    times = time_stages(setting("plain"), {}, lambda: told.append(1))
    assert set(times.stages) == SHARED
    assert len(told) == 5 + 4
    assert all(stage.median_ms > 0 for stage in times.stages.values())
    assert times.engine == "plain"
    assert list(times.streamer(NO_RUNTIME)) == ["capture", "network", "carrier", "payload"]
    assert list(times.viewer(NO_RUNTIME, 2)) == ["depayload", "decode", "restore", "sink"]


def test_the_network_is_timed_on_every_runtime_and_batch_and_so_are_its_fits():
    makers, missing = open_runtimes(["onnx"])
    assert missing == []
    times = time_stages(setting("auto"), {**makers, "again": makers["onnx"]})
    assert set(times.stages) == {*SHARED, GUIDE}
    for network in times.networks.values():
        assert network.encode.median_ms > 0
        assert list(network.restore) == [1, 2]
    assert list(times.networks) == ["onnx", "again"]


def test_a_runtime_that_is_not_here_is_named_and_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "engines.runtimes.torch", None)
    makers, missing = open_runtimes(["onnx", "torch"])
    assert list(makers) == ["onnx"]
    assert len(missing) == 1
    assert "torch" in missing[0]
    with pytest.raises(BenchUsageError, match="onnx, torch"):
        open_runtimes(["onyx"])


def test_first_runs_and_warm_up_are_not_counted(monkeypatch):
    walls = iter([0, 9, 0, 8, 0, 0.002, 0, 0.006])
    cpus = iter([0, 9, 0, 8, 0, 0.002, 0, 0.008])
    monkeypatch.setattr("time.perf_counter", lambda: next(walls))
    monkeypatch.setattr("time.process_time", lambda: next(cpus))
    watch = Stopwatch()
    for counting in (True, False, True, True):
        watch.counting = counting
        with watch.stage("a", frames=2):
            pass
    times = watch.times()["a"]
    assert times.median_ms == pytest.approx(2)
    assert times.cpu_ms == pytest.approx(2.5)


def result(size: str, network_ms: float, restore_ms: float) -> SizeResult:
    stages = dict.fromkeys(SHARED, Times(4.0, 10.0))
    network = NetworkTimes(Times(network_ms, network_ms), {1: Times(restore_ms, 60.0)})
    return SizeResult(size, 2, 300_000, StageTimes("lite", stages, {"onnx": network}), {}, None)


def test_targets_say_whether_they_are_met():
    streamer, viewer = targets([result("848x480", 9, 39.9), result("1280x720", 2, 90)])
    assert streamer.value == pytest.approx(1.2)
    assert streamer.met is False
    assert "1.20 (2.0 + 10.0 over 10.0 ms, onnx), target 1.0: missed" in streamer.text
    assert viewer.met is True
    assert "slowest stage restore 39.9 ms" in viewer.text
    assert "sum 51.9 ms" in viewer.text
    unknown = targets([result("848x480", 9, 40)])
    assert (unknown[0].met, unknown[1].met) == (None, False)
    assert "not measured" in unknown[0].text


def test_both_programs_tell_their_memory_and_the_streamer_its_speed(monkeypatch):
    monkeypatch.setattr(daemons, "ALONE_S", (0.2, 1.0))
    live = daemon_speed(setting("plain"))
    assert live.streamer_mib > 20
    assert live.viewer_mib > 20


def test_json_and_plot_hold_what_the_table_says(tmp_path, capsys):
    path, plot = tmp_path / "speed.json", tmp_path / "speed.png"
    options = ["--sizes", "128x96", "--engines", "plain", "--batches", "1", "--frames", "2"]
    assert main(["speed", *options, "--json", str(path), "--plot", str(plot)]) == 0
    document = json.loads(path.read_text())
    assert (document["schema"], document["sizes"][0]["size"]) == (2, "128x96")
    assert document["sizes"][0]["memory"][NO_RUNTIME]["restore_mib"]["1"] > 20
    assert [target["met"] for target in document["targets"]] == [None, None]
    assert plot.stat().st_size > 0
    printed = capsys.readouterr().out
    for name in (*SHARED - {ANCHOR}, "x265 medium zerolatency, native", "128x96 x", "frames/s"):
        assert name in printed


@pytest.mark.parametrize(
    ("option", "value"), [("--sizes", "wide"), ("--sizes", "16x16"), ("--batches", "0")]
)
def test_wrong_use_is_one_line_and_exit_code_2(option, value, capsys):
    assert main(["speed", option, value]) == 2
    assert value in capsys.readouterr().err
