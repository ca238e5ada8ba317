"""`denc-bench buffer`: what it says is what was measured, and an overload leaves latency flat."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from benches.cli import main
from benches.timing.buffering import SlowRun, coded_units, run_slow
from benches.timing.stages import Setting

BUDGET_MS = 200


def test_every_runtime_and_batch_is_measured_apart_and_serially(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "buffer.json", tmp_path / "buffer.png"
    arguments = [
        "buffer", "--size", "96x64", "--batches", "1,3", "--frames", "7", "--rounds", "1",
        "--runtimes", "onnx", "--slow", "2", "--slow-seconds", "2",
        "--json", str(out), "--plot", str(plot),
    ]  # fmt: skip
    assert main(arguments) == 0
    document = json.loads(out.read_text())
    (runtime,) = document["runtimes"]
    assert [row["batch"] for row in runtime["batches"]] == [1, 3]
    assert runtime["serial_per_s"] > 0
    for row in runtime["batches"]:
        assert row["pictures_per_s"] == pytest.approx(1e3 * row["batch"] / row["batch_ms"])
        assert row["viewer_per_s"] > 0
    slow = document["slow"]
    assert slow["sent"] == 50
    assert len(slow["latencies_ms"]) + slow["dropped"] <= slow["sent"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "onnx, apart, N = 3" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--batches", "0"], ["--size", "9x9"], ["--frames", "1"]])
def test_wrong_use_is_told(wrong: list[str]) -> None:
    assert main(["buffer", *wrong]) == 2


def test_a_restorer_ten_times_too_slow_leaves_latency_flat_and_counts_what_it_drops() -> None:
    _, units = coded_units(Setting(96, 64, "plain", 2, (1,), 20))
    run = run_slow(units, 10, BUDGET_MS, 6.0)
    shown = len(run.latencies_ms)
    assert 5 <= shown <= 16  # one in ten, were it not for the machine's other work
    left = 1 + BUDGET_MS // 40 + 5  # in the buffer and in work at the end
    assert run.sent - left <= shown + run.dropped <= run.sent
    latencies = [latency for _, latency in run.latencies_ms]
    third = len(latencies) // 3
    first, last = latencies[1 : 1 + third], latencies[-third:]
    assert statistics.median(last) <= statistics.median(first) + BUDGET_MS / 2
    assert statistics.median(latencies) <= BUDGET_MS + 400 + 100  # budget and one inference


def test_a_slope_is_of_a_minute_and_leaves_the_beginning_out() -> None:
    points = tuple((s / 2, 900.0 if s < 2 else 100.0 + s / 2) for s in range(40))
    assert SlowRun(10, 400, points, 400, 360).slope_ms_per_min == pytest.approx(60)
    assert SlowRun(10, 400, points[:3], 400, 360).slope_ms_per_min == 0
