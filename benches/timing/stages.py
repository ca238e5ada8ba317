"""Every stage of both programs at one size, one frame after the other, beside plain x265.

    source -> network -> carrier -> payload ~ depayload -> decode -> restore -> sink
       └----> x265 medium zerolatency at full size

Every stage runs alone, with all cores to itself. Networks run on every runtime, and restoring at
every batch, on the same frame, and so does x265: what else the machine does meets them all alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benches import BenchUsageError
from benches.channels import ANCHOR_PRESET
from benches.demo.sizes import BITRATE_MIN_BPS
from benches.timing.stopwatch import Stopwatch, Times
from daemon.errors import UsageError
from daemon.figures import Figures
from engines.carrier import CarrierEncoder, best_preset
from engines.codec import LatentEncoder, Restorer, open_encoder, open_restorer
from engines.frame import Frame
from engines.guide_fitter import open_guide_fitter
from engines.half import RuntimeMaker
from engines.latent import Latent
from engines.scale import choose_scale
from engines.weight_store import NO_NETWORK
from link.access_unit import AccessUnit
from link.assembly import assemble
from link.clock import monotonic_us
from link.nal import join_annexb, split_annexb
from link.payload import packetize
from streamer.side_info import SideInfoWriter
from streamer.sources.open import DEMO, open_source
from streamer.sources.source import Source
from viewer.decoder import StreamDecoder
from viewer.picture import Decoded, Shown
from viewer.sinks.record import Record
from viewer.timeline import Timeline

FPS = 25.0
BITS_PER_PIXEL = 0.013  # 300 kbit/s at 1280x720: the streamer's default
BITS = 8
FRAMES, WARM_UP = 40, 5
THREADS = 2
NO_RUNTIME = "none"  # of an engine without a network
SENDING = ("carrier", "payload")  # the streamer's stages behind capture and network
RECEIVING = ("depayload", "decode")  # the viewer's before restoring; the sink comes last
GUIDE = "guide"  # a fit: once a second, beside the rest
GUIDE_EVERY = 5  # frames, here
ANCHOR = "x265"  # at the same bitrate


@dataclass(frozen=True)
class Setting:
    """What is timed."""

    width: int
    height: int
    engine: str
    scale: int | None = None  # None: as the streamer begins at the bitrate
    batches: tuple[int, ...] = (1, 4)  # frames that are restored at once
    frames: int = FRAMES  # at least two batches
    source: str = DEMO

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def bitrate_bps(self) -> int:
        return max(BITRATE_MIN_BPS, round(BITS_PER_PIXEL * self.width * self.height * FPS))

    @property
    def first_scale(self) -> int:
        return self.scale or choose_scale(self.width, self.height, FPS, self.bitrate_bps)


@dataclass(frozen=True)
class NetworkTimes:
    """Both networks on one runtime."""

    encode: Times
    restore: dict[int, Times]  # by batch; of one frame


@dataclass(frozen=True)
class StageTimes:
    """Every stage at one size."""

    engine: str
    stages: dict[str, Times]  # all that is the same on every runtime
    networks: dict[str, NetworkTimes]  # by runtime

    def streamer(self, runtime: str) -> dict[str, Times]:
        """The streamer's stages in order."""
        network = {"network": self.networks[runtime].encode}
        return {"capture": self.stages["capture"]} | network | self._some(SENDING)

    def viewer(self, runtime: str, batch: int) -> dict[str, Times]:
        """The viewer's stages in order."""
        restore = {"restore": self.networks[runtime].restore[batch]}
        return self._some(RECEIVING) | restore | {"sink": self.stages["sink"]}

    def _some(self, names: Sequence[str]) -> dict[str, Times]:
        return {name: self.stages[name] for name in names}


def time_stages(
    setting: Setting,
    runtimes: Mapping[str, RuntimeMaker],
    progress: Callable[[], None] = lambda: None,
) -> StageTimes:
    """Run the frames of a setting through every stage; `progress` is told of each frame."""
    with tempfile.TemporaryDirectory(prefix="denc-speed-") as folder, opened(setting) as source:
        return _Run(setting, runtimes, Path(folder) / "out.mkv").all(source, progress)


@contextmanager
def opened(setting: Setting) -> Iterator[Source]:
    """Its source, while the block runs. Raises BenchUsageError."""
    size = setting.width, setting.height
    try:
        source = open_source(setting.source, size, FPS, loop=True, paced=False)
    except UsageError as error:
        raise BenchUsageError(str(error)) from error
    try:
        yield source
    finally:
        source.close()


class _Run:
    """Both programs at one size, in one thread."""

    def __init__(
        self, setting: Setting, runtimes: Mapping[str, RuntimeMaker], recording: Path
    ) -> None:
        self._setting, self._watch = setting, Stopwatch()
        encoder = open_encoder(setting.engine, threads=THREADS)
        network_id = encoder.network_id
        self._restored = network_id != NO_NETWORK
        self._encoders: dict[str, LatentEncoder] = {}
        self._restorers: dict[str, Restorer] = {}
        for name, make in runtimes.items() if self._restored else ():
            self._encoders[name] = open_encoder(setting.engine, threads=THREADS)
            self._encoders[name].run_on(make)
            self._restorers[name] = open_restorer(setting.engine, network_id, threads=THREADS)
            self._restorers[name].run_on(make)
        if not self._restored:
            self._encoders[NO_RUNTIME] = encoder
            self._restorers[NO_RUNTIME] = open_restorer(setting.engine, network_id, threads=THREADS)
        self._fitter = open_guide_fitter(network_id, threads=1)
        self._anchor = CarrierEncoder(
            setting.width, setting.height, FPS,
            bitrate_bps=setting.bitrate_bps, preset=ANCHOR_PRESET, threads=THREADS,
        )  # fmt: skip
        self._carrier: CarrierEncoder | None = None
        self._side_info, self._timeline = SideInfoWriter(network_id), Timeline()
        self._decoder = StreamDecoder(lambda: None, Figures(), monotonic_us)
        self._sink = Record(recording, "high", Figures(), monotonic_us, persists=False)
        self._waiting: dict[tuple[str, int], list[Decoded]] = {}

    def all(self, source: Source, progress: Callable[[], None]) -> StageTimes:
        for number in range(WARM_UP + self._setting.frames):
            self._watch.counting = number >= WARM_UP
            with self._watch.stage("capture"):
                frame = source.read()
            if frame is None:
                raise BenchUsageError(f"{self._setting.source} ends after {number} frames")
            self._one(frame, number)
            progress()
        self._sink.close()
        times = self._watch.times()
        networks = {
            runtime: NetworkTimes(
                times.pop(_encode(runtime)),
                {batch: times.pop(_restore(runtime, batch)) for batch in self._setting.batches},
            )
            for runtime in self._encoders
        }
        return StageTimes(next(iter(self._restorers.values())).name, times, networks)

    def _one(self, frame: Frame, number: int) -> None:
        latents = []
        for runtime, encoder in self._encoders.items():
            with self._watch.stage(_encode(runtime)):
                scale = self._setting.first_scale
                latents.append(encoder.encode(frame, scale=scale, bits=BITS))
        decoded = self._sent(latents[0], number)
        for runtime in self._restorers:
            for batch in self._setting.batches:
                self._show(self._restore(runtime, batch, decoded), runtime, batch)
        if self._fitter is not None and number % GUIDE_EVERY == 0:
            with self._watch.stage(GUIDE):
                self._fitter.fit(decoded.latent, frame)
        with self._watch.stage(ANCHOR):
            self._anchor.encode(frame.planes, frame.number)

    def _sent(self, latent: Latent, number: int) -> Decoded:
        """The latent as the viewer gets it."""
        self._carrier = self._carrier or self._open_carrier(latent)
        with self._watch.stage("carrier"):
            (coded,) = self._carrier.encode(latent.planes, latent.number)
            unit = self._side_info.access_unit(coded, latent, FPS)
        with self._watch.stage("payload"):
            payloads = packetize(split_annexb(unit.data))
        with self._watch.stage("depayload"):
            data = join_annexb(assemble(payloads) or [])
        with self._watch.stage("decode"):
            arrived = AccessUnit(data, unit.rtp_timestamp, unit.irap)
            stamped, _ = self._timeline.stamp(arrived, number, len(data), 0)
            (decoded,) = self._decoder.decode(stamped)
        return decoded

    def _restore(self, runtime: str, batch: int, decoded: Decoded) -> list[tuple[Decoded, Frame]]:
        """What is restored once a batch is full."""
        waiting = self._waiting.setdefault((runtime, batch), [])
        waiting.append(decoded)
        if len(waiting) < batch:
            return []
        with self._watch.stage(_restore(runtime, batch), frames=batch):
            frames = self._restorers[runtime].restore([one.latent for one in waiting])
        restored = list(zip(waiting, frames, strict=True))
        waiting.clear()
        return restored

    def _show(self, restored: Sequence[tuple[Decoded, Frame]], runtime: str, batch: int) -> None:
        """One of the runtimes and batches is recorded."""
        if (runtime, batch) != next(iter(self._waiting)):
            return
        for decoded, frame in restored:
            with self._watch.stage("sink"):
                self._sink.show(Shown(frame, decoded, self._restorers[runtime].name, 0, 0))

    def _open_carrier(self, latent: Latent) -> CarrierEncoder:
        planes = latent.planes
        return CarrierEncoder(
            planes.width,
            planes.height,
            FPS,
            bitrate_bps=self._setting.bitrate_bps,
            preset=best_preset(planes.width, planes.height, latent.scale, restored=self._restored),
            restored=self._restored,
            scale=latent.scale,
            threads=THREADS,
        )


def _encode(runtime: str) -> str:
    return f"network {runtime}"


def _restore(runtime: str, batch: int) -> str:
    return f"restore {runtime} {batch}"
