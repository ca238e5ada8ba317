"""DiffVC-RT's Table 7 for denc: batches of N, and decoding apart from restoring or not.

serial        one thread: decode a picture, restore it, then the next
asynchronous  the viewer's own stages: `Decoding`, `LatentBuffer`, `Reconstruction`
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from benches import BenchError
from benches.timing.stages import BITS, FPS, THREADS, Setting, opened
from daemon.figures import Figures
from engines.carrier import CarrierEncoder, best_preset
from engines.codec import AUTO, PLAIN, Restorer, open_encoder, open_restorer
from engines.frame import Frame
from engines.half import RuntimeMaker
from engines.latent import Latent
from link.access_unit import AccessUnit
from link.clock import monotonic_us, unix_us
from streamer.side_info import SideInfoWriter
from viewer.buffer import LatentBuffer
from viewer.decode import Decoding
from viewer.decoder import StreamDecoder
from viewer.latency import Latency
from viewer.outlet import Outlet
from viewer.picture import Decoded, Shown
from viewer.reconstruct import Reconstruction
from viewer.restorers import Restorers
from viewer.timeline import Timeline

SERIAL = 0  # as a batch: neither apart nor in parallel


@dataclass(frozen=True)
class BatchTimes:
    """Medians of one batch size on one runtime."""

    batch: int
    batch_ms: float  # of one run of the network: what the first of a full batch waits
    pictures_per_s: float  # of the network alone
    viewer_per_s: float  # decoded and restored, apart


@dataclass(frozen=True)
class RuntimeTimes:
    """One runtime."""

    runtime: str
    serial_per_s: float  # decoded and restored one after the other
    batches: tuple[BatchTimes, ...]


@dataclass(frozen=True)
class SlowRun:
    """A restorer that is too slow by a factor, in real time, as the viewer lives with it."""

    factor: float
    budget_ms: int
    latencies_ms: tuple[tuple[float, float], ...]  # seconds since the beginning, latency
    sent: int
    dropped: int

    @property
    def slope_ms_per_min(self) -> float:
        """Of the latency, after the first second: 0 is flat. The median slope of all pairs
        (Theil and Sen), which single late pictures do not move."""
        points = [point for point in self.latencies_ms if point[0] > 1]
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
        return 60 * statistics.median(slopes) if slopes else 0.0


def coded_units(setting: Setting) -> tuple[bytes, list[AccessUnit]]:
    """The network id and access units of a setting's frames, as denc-stream sends them."""
    encoder = open_encoder(setting.engine, threads=THREADS)
    writer, carrier = SideInfoWriter(encoder.network_id), None
    units: list[AccessUnit] = []
    with opened(setting) as source:
        for _ in range(setting.frames):
            if (frame := source.read()) is None:
                raise BenchError(f"{setting.source} ends after {len(units)} frames")
            latent = encoder.encode(frame, scale=setting.first_scale, bits=BITS)
            width, height = latent.planes.width, latent.planes.height
            carrier = carrier or CarrierEncoder(
                width,
                height,
                FPS,
                bitrate_bps=setting.bitrate_bps,
                preset=best_preset(width, height, latent.scale, restored=True),
                restored=True,
                scale=latent.scale,
                threads=THREADS,
            )
            coded = carrier.encode(latent.planes, latent.number)
            units += [writer.access_unit(picture, latent, FPS) for picture in coded]
    return encoder.network_id, units


def time_buffer(
    setting: Setting,
    makers: Mapping[str, RuntimeMaker],
    rounds: int,
    progress: Callable[[], None] = lambda: None,
) -> list[RuntimeTimes]:
    """Every runtime and batch in turn, `rounds` times: what else runs meets them all alike."""
    network_id, units = coded_units(setting)
    (latent,) = [picture.latent for picture in _decoded(units[:1])]
    restorers: dict[str, Restorer] = {}
    for name, make in makers.items():
        restorers[name] = open_restorer(setting.engine, network_id, threads=THREADS)
        restorers[name].run_on(make)
        restorers[name].restore([latent])
    batch_s: dict[tuple[str, int], list[float]] = {}
    whole_s: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for name, restorer in restorers.items():
            for batch in (SERIAL, *setting.batches):
                key = name, batch
                whole_s.setdefault(key, []).append(_whole_s(restorer, units, batch))
                if batch:
                    batch_s.setdefault(key, []).append(_batch_s(restorer, latent, batch))
                progress()
    medians = {key: statistics.median(values) for key, values in whole_s.items()}
    return [
        RuntimeTimes(
            name,
            len(units) / medians[name, SERIAL],
            tuple(
                BatchTimes(
                    batch,
                    1e3 * (took_s := statistics.median(batch_s[name, batch])),
                    batch / took_s,
                    len(units) / medians[name, batch],
                )
                for batch in setting.batches
            ),
        )
        for name in restorers
    ]


def run_slow(units: Sequence[AccessUnit], factor: float, budget_ms: int, seconds: float) -> SlowRun:
    """Access units in real time into a viewer whose restorer takes `factor` frames' time."""
    latencies: list[tuple[float, float]] = []
    dropped: list[int] = []
    start_us = monotonic_us()

    def show(shown: Shown) -> None:
        latency_us = monotonic_us() - shown.decoded.arrived_us
        latencies.append(((monotonic_us() - start_us) / 1e6, latency_us / 1e3))

    stages = _Stages(_Slow(factor / FPS), 4, show, budget_ms * 1000, lambda _, n: dropped.append(n))
    sent = 0
    while (due_s := sent / FPS) < seconds:
        time.sleep(max(0.0, due_s - (monotonic_us() - start_us) / 1e6))
        stages.put(replace(units[sent % len(units)], received_us=monotonic_us()))
        sent += 1
    stages.close(discard=True)
    return SlowRun(factor, budget_ms, tuple(latencies), sent, sum(dropped))


class _Slow(Restorer):
    """Plain upscaling that takes its time."""

    def __init__(self, takes_s: float) -> None:
        super().__init__(PLAIN, None, 1)
        self._takes_s = takes_s

    def restore(self, latents: Sequence[Latent]) -> list[Frame]:
        time.sleep(self._takes_s * len(latents))
        return super().restore(latents)


class _Stages:
    """The viewer's stages around one restorer."""

    def __init__(
        self,
        restorer: Restorer,
        batch_max: int,
        show: Callable[[Shown], None],
        budget_us: int | None,
        dropped: Callable[[int, int], None],
    ) -> None:
        figures = Figures()
        self._errors: list[BaseException] = []
        buffer = LatentBuffer(
            budget_us=budget_us, batch_max=batch_max, clock=monotonic_us, dropped=dropped
        )
        self._reconstruction = Reconstruction(
            buffer=buffer,
            restorers=Restorers(
                AUTO,
                threads=THREADS,
                opener=lambda *_, **__: restorer,
                partners=lambda network_id: (),
            ),
            outlets=[Outlet(show, figures, Latency(figures), live=False)],
            failed=self._errors.append,
            monotonic=monotonic_us,
            unix=unix_us,
        )
        self._decoding = Decoding(
            received=lambda stamped: None,
            decoded=buffer.put,
            failed=self._errors.append,
            figures=figures,
            monotonic=monotonic_us,
            unix=unix_us,
            waits=budget_us is None,
        )
        self._decoding.begin(lambda: None)

    def put(self, unit: AccessUnit) -> None:
        self._decoding.put(unit)

    def close(self, *, discard: bool = False) -> None:
        self._decoding.close(discard=discard)
        self._reconstruction.close(discard=discard)
        if self._errors:
            raise BenchError(f"a stage failed: {self._errors[0]}")


def _batch_s(restorer: Restorer, latent: Latent, batch: int) -> float:
    started = time.perf_counter()
    restorer.restore([latent] * batch)
    return time.perf_counter() - started


def _whole_s(restorer: Restorer, units: Sequence[AccessUnit], batch: int) -> float:
    """Decoding and restoring all of them."""
    started = time.perf_counter()
    if batch == SERIAL:
        for picture in _decoded(units):
            restorer.restore([picture.latent])
        return time.perf_counter() - started
    shown: list[Shown] = []
    stages = _Stages(restorer, batch, shown.append, None, lambda *_: None)
    for unit in units:
        stages.put(unit)
    stages.close()
    took_s = time.perf_counter() - started
    if len(shown) != len(units):
        raise BenchError(f"{len(shown)} of {len(units)} pictures were shown")
    return took_s


def _decoded(units: Sequence[AccessUnit]) -> Iterator[Decoded]:
    timeline = Timeline()
    decoder = StreamDecoder(lambda: None, Figures(), monotonic_us)
    for sequence, unit in enumerate(units):
        stamped, _ = timeline.stamp(unit, sequence, len(unit.data), 0)
        yield from decoder.decode(stamped)
