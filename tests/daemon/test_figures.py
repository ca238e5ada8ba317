import threading

from daemon.figures import WINDOW_S, Figures


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_snapshot_holds_counters_gauges_rates_and_percentiles() -> None:
    figures = Figures(Clock())
    figures.add("frames_sent")
    figures.add("frames_sent", 2)
    figures.set("engine", "lite")
    figures.rate("bits_per_s", 300)
    for value in range(101):
        figures.observe("network_ms", value)
    assert figures.snapshot() == {
        "bits_per_s": 100.0,
        "engine": "lite",
        "frames_sent": 3,
        "network_ms": {"p50": 50, "p95": 95, "max": 100},
    }


def test_what_is_older_than_the_window_is_forgotten() -> None:
    clock = Clock()
    figures = Figures(clock)
    figures.observe("network_ms", 1000)
    figures.rate("bits_per_s", 300)
    clock.now = WINDOW_S + 1
    assert figures.snapshot() == {"bits_per_s": 0.0}


def test_prometheus_text_types_its_metrics_and_escapes_labels() -> None:
    figures = Figures(Clock())
    figures.add("frames_sent", 3)
    figures.set("qp", 31.25)
    figures.set("state", 'say "no signal"')
    figures.observe("network_ms", 4)
    lines = figures.prometheus("denc_stream").splitlines()
    assert "denc_stream_frames_sent_total 3" in lines
    assert "# TYPE denc_stream_frames_sent_total counter" in lines
    assert "denc_stream_qp 31.25" in lines
    assert 'denc_stream_network_ms{stat="p95"} 4' in lines
    assert 'denc_stream_info{state="say \\"no signal\\""} 1' in lines


def test_threads_lose_no_count() -> None:
    figures = Figures()

    def count() -> None:
        for _ in range(1000):
            figures.add("n")
            figures.observe("ms", 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert figures.snapshot()["n"] == 4000
