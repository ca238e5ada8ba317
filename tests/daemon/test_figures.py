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


def test_figures_of_streams_have_a_label_and_stand_under_streams() -> None:
    figures = Figures(Clock())
    figures.set("state", "receiving")
    figures.streams = {number: Figures(Clock()) for number in "01"}
    for number, stream in figures.streams.items():
        stream.add("frames_shown", int(number) + 3)
        stream.set("engine", "lite")
    streams = {n: {"engine": "lite", "frames_shown": int(n) + 3} for n in "01"}
    assert figures.document() == {"state": "receiving", "streams": streams}
    lines = figures.prometheus("denc_view").splitlines()
    assert lines.count("# TYPE denc_view_frames_shown_total counter") == 1
    at = lines.index("# TYPE denc_view_frames_shown_total counter")
    assert lines[at + 1 : at + 3] == [
        'denc_view_frames_shown_total{stream="0"} 3',
        'denc_view_frames_shown_total{stream="1"} 4',
    ]
    assert 'denc_view_info{stream="1",engine="lite"} 1' in lines
    assert 'denc_view_info{state="receiving"} 1' in lines


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
