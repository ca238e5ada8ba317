"""denc's methods, opened: an encoder, and restorers at the fidelities that were asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import av
import onnxruntime

from benches.methods import Variant
from engines.codebook import BITS_MAX, BITS_MIN
from engines.codec import open_encoder, open_restorer
from engines.errors import WeightsError
from engines.evaluation.ffmpeg import ffmpeg_binary
from engines.frame import Frame
from engines.latent import SCALES, Latent
from engines.weight_store import ENCODER, NO_NETWORK, Task, WeightStore

ROOT = Path(__file__).parent.parent
CODE = (
    "engines/*.py", "engines/runtimes/*.py", "streamer/side_info.py", "streamer/guiding.py",
    "link/side_info.py", "link/access_unit.py", "viewer/decoder.py", "viewer/timeline.py",
    "benches/channels.py", "benches/rates.py",
)  # fmt: skip
MEASURES = ("engines/evaluation/*.py", "engines/frame.py", "benches/coders.py")


class LatentMaker(Protocol):
    """What is needed of `engines.codec.LatentEncoder`."""

    network_id: bytes

    def encode(self, frame: Frame, *, scale: int, bits: int) -> Latent: ...


class LatentRestorer(Protocol):
    """What is needed of `engines.codec.Restorer`."""

    fidelity: float

    def restore(self, latents: Sequence[Latent]) -> list[Frame]: ...


@dataclass(frozen=True, eq=False)
class View:
    """One way to show denc's streams, and the encoder that makes them."""

    method: str  # `<engine>@<fidelity>`, of the engine that really runs
    encoder: LatentMaker
    restorer: LatentRestorer
    fidelity: float
    network: str  # names the networks in results: points of other ones are not reused
    reason: str = ""  # why it is plain upscaling, if so

    def restore(self, latents: Sequence[Latent]) -> list[Frame]:
        """Pictures at source size; views share a restorer, so that each says its fidelity."""
        self.restorer.fidelity = self.fidelity
        return self.restorer.restore(latents)


def open_views(variants: Iterable[Variant], threads: int) -> list[View]:
    """A view for each variant, the same encoder for all that can have it.

    `auto` becomes the engine that runs. Raises UnknownEngineError and WeightsError.
    """
    views: dict[str, View] = {}
    encoders: dict[bytes, LatentMaker] = {}
    opened = {}
    for variant in variants:
        if variant.engine not in opened:
            encoder = open_encoder(variant.engine, threads=threads)
            restorer = open_restorer(variant.engine, encoder.network_id, threads=threads)
            opened[variant.engine] = encoders.setdefault(encoder.network_id, encoder), restorer
        maker, restorer = opened[variant.engine]
        view = View(
            Variant(restorer.name, variant.fidelity).method,
            maker,
            restorer,
            variant.fidelity,
            _network_name(restorer.name, maker.network_id),
            restorer.reason,
        )
        views.setdefault(view.method, view)
    return list(views.values())


def _network_name(engine: str, network_id: bytes) -> str:
    """The engine and a hash of what its points depend on: the encoder, the engine, and the
    restorer that guides are fitted to."""
    if network_id == NO_NETWORK:
        return engine
    store, digest = WeightStore(), hashlib.sha256()
    for name in (ENCODER, engine, store.restorers_of(network_id)[0]):
        digest.update(store.weights(name).read_bytes())
        for task in Task:
            for scale in SCALES:
                with suppress(WeightsError):  # there is none
                    digest.update(store.graph(name, scale, task).read_bytes())
    for bits in range(BITS_MIN, BITS_MAX + 1):
        digest.update(store.codebook(bits).to_bytes())
    return f"{engine} {digest.hexdigest()[:12]}"


def code_name() -> str:
    """A hash of what makes and restores denc's streams: its points depend on it."""
    return _hash(CODE, onnxruntime.__version__)


def measures_name() -> str:
    """A hash of what every point depends on: references, plain codecs and measures."""
    return _hash(MEASURES, f"{av.library_versions} {ffmpeg_binary().split('/')[-1]}")


@cache
def _hash(patterns: Sequence[str], versions: str) -> str:
    digest = hashlib.sha256(versions.encode())
    for path in sorted(file for pattern in patterns for file in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
