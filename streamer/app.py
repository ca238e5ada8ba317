"""The streamer as a whole: its stages, wired as in the drawing of the package."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from daemon.bounded_queue import BoundedQueue
from daemon.cores import cores
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.figures_server import LOCALHOST, serve
from daemon.log import event
from daemon.stage import Stage
from daemon.state import open_state
from engines.codec import LatentEncoder, open_encoder
from engines.guide_fitter import open_guide_fitter
from streamer.capture import Capture, Opener, Shot
from streamer.carrier import Carrier, CarrierSettings, CodedUnit
from streamer.config import StreamerConfig
from streamer.dial import Dial
from streamer.guiding import Guiding
from streamer.network import LatentShot, Network, NetworkSettings
from streamer.outlet import Outlet
from streamer.record import Record
from streamer.scale_control import ScaleControl
from streamer.send import Send
from streamer.sources.open import is_live, open_source
from streamer.sources.rtsp import without_password
from streamer.sources.source import Source

DELIVERED = ("frames_sent", "frames_recorded")  # figures of the outlets
JOIN_TIMEOUT_S = 5.0  # for a stage to end; a camera driver that hangs is left behind

_log = logging.getLogger(__name__)


async def stream(config: StreamerConfig, stop: asyncio.Event) -> None:
    """Stream until the source ends, the duration is over, or `stop` is set.

    Raises DaemonError; also when it ends by itself and nothing was ever delivered.
    """
    figures = Figures()
    async with serve(figures, LOCALHOST, config.figures_port, prefix="denc_stream"):
        network = await asyncio.to_thread(_open_network, config)
        await _Streamer(config, network, figures).run(stop)


class _Streamer:
    """source -> capture -> [newest shot] -> network -> [latent] -> carrier -> send, record

    carrier -> guiding -> carrier: what is sent beside the pictures, for the viewer's network.
    """

    def __init__(self, config: StreamerConfig, network: LatentEncoder, figures: Figures) -> None:
        assert config.source is not None
        live = is_live(config.source)
        paced = config.peer is not None
        self._figures = figures
        self._duration_s = config.duration if live or paced else None  # a clock on the wall
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._error: BaseException | None = None
        shots: BoundedQueue[Shot] = BoundedQueue(1, waits=not (live or paced))
        latents: BoundedQueue[LatentShot] = BoundedQueue(1, waits=True)
        self._capture = Capture(
            without_password(config.source), _opener(config, paced=paced), shots, figures, live=live
        )
        scale = ScaleControl(config.scale, config.max_bitrate)
        self._network = Network(
            network,
            _network_settings(config, paced=live or paced),
            scale,
            shots,
            latents,
            figures,
            wanted=lambda: any(outlet.wants for outlet in self._outlets),
        )
        self._guiding = _open_guiding(config, network, figures, waits=not (live or paced))
        self._carrier = Carrier(
            network.network_id,
            _carrier_settings(config, paced=live or paced),
            scale,
            latents,
            self._deliver,
            figures,
            self._guiding,
        )
        self._outlets = self._open_outlets(config, network, figures, persists=live or paced)

    async def run(self, stop: asyncio.Event) -> None:
        stages = [
            Stage("capture", self._capture.run, self._failed),
            Stage("network", self._network.run, self._failed),
            Stage("carrier", self._code_all, self._failed),
        ]
        if self._guiding is not None:
            stages.append(Stage("guiding", self._guiding.run, self._failed))
        outlets = [asyncio.ensure_future(outlet.run()) for outlet in self._outlets]
        waits = [asyncio.ensure_future(e.wait()) for e in (stop, self._ended)]
        done, _ = await asyncio.wait(
            [*outlets, *waits], timeout=self._duration_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            event(_log, "the duration is over", seconds=self._duration_s)
        self._capture.stop()
        for stage in stages:
            await asyncio.to_thread(stage.join, JOIN_TIMEOUT_S)
        await self._finish([*outlets, *waits])
        if not stop.is_set():
            self._check_delivered()
        event(_log, "ended")

    async def _finish(self, tasks: Sequence[asyncio.Future[Any]]) -> None:
        """Close every outlet; then raise the first thing that went wrong, if any."""
        for task in tasks:
            task.cancel()
        ends = [
            *await asyncio.gather(*tasks, return_exceptions=True),
            *await asyncio.gather(
                *(outlet.finish() for outlet in self._outlets), return_exceptions=True
            ),
        ]
        for error in (self._error, *ends):
            if isinstance(error, Exception):
                raise error

    def _check_delivered(self) -> None:
        """An end that nobody asked for, without one picture delivered, is a failure."""
        if self._error is None and not any(map(self._figures.snapshot().get, DELIVERED)):
            raise RunError("it is over, and no picture was ever delivered")

    def _open_outlets(
        self, config: StreamerConfig, network: LatentEncoder, figures: Figures, *, persists: bool
    ) -> list[Outlet]:
        outlets: list[Outlet] = []
        if config.output is not None:
            outlets.append(
                Record(
                    config.output,
                    figures,
                    persists=persists,
                    beside=config.peer is not None,
                    request_irap=self._carrier.request_irap,
                )
            )
        if config.peer is not None:
            outlets.append(
                Send(
                    config.peer.url,
                    config.token,
                    network.network_id,
                    config.max_bitrate,
                    self._carrier.request_irap,
                    self._carrier.set_bitrate,
                    figures,
                    publish=Dial(
                        config.peer,
                        open_state(config.state),
                        config.ice_server,
                        config.stream_name,
                    ),
                )
            )
        return outlets

    def _deliver(self, coded: CodedUnit) -> None:
        for outlet in self._outlets:
            outlet.put(coded)

    def _code_all(self) -> None:
        self._carrier.run()
        self._loop.call_soon_threadsafe(self._ended.set)

    def _failed(self, error: BaseException) -> None:
        self._error = self._error or error
        self._loop.call_soon_threadsafe(self._ended.set)


def _open_network(config: StreamerConfig) -> LatentEncoder:
    network = open_encoder(config.engine, threads=_threads(config))
    if network.reason:
        event(_log, network.reason, level=logging.WARNING)
    return network


def _open_guiding(
    config: StreamerConfig, network: LatentEncoder, figures: Figures, *, waits: bool
) -> Guiding | None:
    fitter = open_guide_fitter(network.network_id, threads=1) if config.guide else None
    return None if fitter is None else Guiding(fitter, figures, waits=waits)


def _opener(config: StreamerConfig, *, paced: bool) -> Opener:
    """Opens the source as configured; a size or rate that it had before goes first."""
    spec = config.source
    assert spec is not None

    def open_again(size: tuple[int, int] | None, fps: float | None) -> Source:
        return open_source(
            spec,
            size or config.size,
            config.fps or fps,
            config.loop,
            paced=paced,
            input_format=config.input_format,
        )

    return open_again


def _network_settings(config: StreamerConfig, *, paced: bool) -> NetworkSettings:
    """Of a file that is encoded as fast as it goes, the duration is the video's own time."""
    captured_s = None if paced else config.duration
    return NetworkSettings(
        bits=config.bits, duration_us=None if captured_s is None else round(captured_s * 1e6)
    )


def _carrier_settings(config: StreamerConfig, *, paced: bool) -> CarrierSettings:
    return CarrierSettings(config.max_bitrate, config.preset, _threads(config), paced)


def _threads(config: StreamerConfig) -> int:
    return config.threads or cores()
