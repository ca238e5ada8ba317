"""The live figures in a few words, for people: over the picture, and on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from daemon.errors import DaemonError
from daemon.figures import Figures, Snapshot
from viewer.receive import LISTENING, NO_SIGNAL


def figure_lines(figures: Snapshot) -> list[str]:
    """What is received, how fast, how late and with what losses; a line each."""
    stream = [
        _text(figures, "source_size", "{}"),
        _text(figures, "fps", "{:.1f} pictures/s"),
        _text(figures, "bits_per_s", "{:.0f} kbit/s", 1e-3),
    ]
    made = [
        _text(figures, "engine", "{}"),
        _text(figures, "scale", "scale {}"),
        _text(figures, "bits", "{} bits"),
        _text(figures, "qp", "QP {:.0f}"),
    ]
    times = [
        _median(figures, "latency_ms", "latency {:.0f} ms"),
        _median(figures, "decode_ms", "decode {:.1f}"),
        _median(figures, "restore_ms", "restore {:.1f}"),
    ]
    losses = [
        _text(figures, "packets_lost", "{} packets lost"),
        _text(figures, "frames_lost", "{} pictures lost"),
        _text(figures, "frames_dropped", "{} dropped"),
    ]
    lines = [", ".join(filter(None, parts)) for parts in (stream, made, times, losses)]
    return [line for line in lines if line]


def live_line(viewer: Figures, address: object, pairing: Callable[[], str]) -> str:
    """One line for a terminal; `pairing` says who may come."""
    figures = viewer.snapshot()
    if figures.get("state") != LISTENING:
        if viewer.streams:
            return _streams_line(viewer.streams)
        return ", ".join([*filter(None, [state_words(figures)]), *figure_lines(figures)])
    try:
        who = pairing()
    except DaemonError as error:
        who = str(error)
    return f"listening on {address}, {who}; there: denc-stream --camera 0 --peer {address}"


def _streams_line(streams: Mapping[str, Figures]) -> str:
    """Those that come, and how many could."""
    snapshots = {number: stream.snapshot() for number, stream in streams.items()}
    here = {n: figures for n, figures in snapshots.items() if figures.get("state") != LISTENING}
    told = [f"{n}: {''.join(figure_lines(figures)[:1])}" for n, figures in here.items()]
    return f"{len(here)} of {len(streams)} streams, " + "; ".join(told)


def state_words(figures: Snapshot) -> str:
    """Why there is no new picture; empty when there is."""
    state = figures.get("state")
    if state == NO_SIGNAL:
        return "no signal: the streamer is connected and sends nothing"
    if state == LISTENING:
        return "waiting for a streamer"
    return ""


def _text(figures: Snapshot, name: str, form: str, factor: float | None = None) -> str:
    value = figures.get(name)
    if value is None or isinstance(value, dict):
        return ""
    if factor is not None and not isinstance(value, str):
        value = value * factor
    return form.format(value)


def _median(figures: Snapshot, name: str, form: str) -> str:
    value = figures.get(name)
    return form.format(value["p50"]) if isinstance(value, dict) else ""
