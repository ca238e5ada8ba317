"""The two halves of the codec as the daemons use them.

    Frame --LatentEncoder--> Latent --carrier--> Latent --Restorer--> Frame

Both are blocking and meant for a thread of their own. Where weights are missing or damaged, the
engine `auto` goes on without a network and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from engines.codebook import Codebook
from engines.condition import FIDELITY, condition_vector
from engines.errors import UnknownEngineError, WeightsError
from engines.frame import Frame, Planes, resized
from engines.guide import GUIDE_SIZE
from engines.half import Half
from engines.latent import Latent, latent_size, padded_size
from engines.weight_store import ENCODER, NO_NETWORK, WeightStore

AUTO, PLAIN = "auto", "plain"
_NO_GUIDE = (0.0,) * GUIDE_SIZE


def engine_names() -> list[str]:
    """What `--engine` takes on this installation."""
    try:
        return [AUTO, *WeightStore().restorers, PLAIN]
    except WeightsError:
        return [AUTO, PLAIN]


def installed_network_ids() -> tuple[bytes, ...]:
    """Ids of the encoder networks whose streams can be restored here."""
    try:
        store = WeightStore()
        return tuple(dict.fromkeys(store.partner(name) for name in store.restorers))
    except WeightsError:
        return ()


@dataclass(frozen=True)
class Partner:
    """An installed restorer of an encoder network's streams."""

    name: str
    digest: str  # of its weights
    kmacs_per_pixel: float  # of the source


def partners_of(network_id: bytes) -> tuple[Partner, ...]:
    """The restorers installed for an encoder network's streams, the best first."""
    try:
        store = WeightStore()
        partners = [
            Partner(name, store.digest(name), store.kmacs_per_pixel(name))
            for name in store.restorers_of(network_id)
        ]
    except WeightsError:
        return ()
    return tuple(sorted(partners, key=lambda partner: -partner.kmacs_per_pixel))


class LatentEncoder(Half):
    """The streamer's half: TinyAE's encoder, downscale and bitwidth quantization.

    `network_id` (8 bytes) marks its streams; `reason` says why there is no network, if so.
    """

    def __init__(self, store: WeightStore | None, threads: int, reason: str = "") -> None:
        super().__init__(ENCODER, store, threads, reason)
        self.name = PLAIN if store is None else ENCODER
        self.network_id = NO_NETWORK if store is None else store.encoder_id

    def encode(self, frame: Frame, *, scale: int, bits: int) -> Latent:
        """The latent of one frame; at scale 1 it is the frame itself, padded to even sides."""
        padded = _pad(frame.planes, *padded_size(frame.width, frame.height, scale))
        if scale == 1:
            planes, codebook = padded, Codebook.uniform(8)
        elif self._store is None:
            codebook = Codebook.uniform(bits)
            size = latent_size(frame.width, frame.height, scale)
            small = resized(padded, size, Interpolation.AREA)
            planes = _compress(codebook, [p.astype(np.float32) for p in small.channels])
        else:
            codebook = self._store.codebook(bits)
            inputs = {n: p[None, None] for n, p in zip("yuv", padded.channels, strict=True)}
            planes = _compress(codebook, [p[0, 0] for p in self._runtime(scale).run(inputs)])
        return Latent(
            planes, frame.width, frame.height, scale, codebook, 0.0, frame.number, frame.captured_us
        )


class Restorer(Half):
    """The viewer's half: a restorer network, or plain Lanczos upscaling.

    `fidelity`, from 0, closest to the source, to 1, best looking, may change between pictures.
    `reason` is empty, or says in one sentence why it is plain upscaling.
    """

    def __init__(
        self,
        name: str,
        store: WeightStore | None,
        threads: int,
        reason: str = "",
        fidelity: float = FIDELITY,
    ) -> None:
        super().__init__(name, store, threads, reason)
        self.name = name
        self.fidelity = fidelity
        self._id = b"" if store is None else store.restorer_id(name)

    def restore(self, latents: Sequence[Latent]) -> list[Frame]:
        """Frames at source size, in order; neighbours of one shape run as one batch."""
        frames: list[Frame] = []
        for _, group in groupby(latents, attrgetter("shape")):
            run = list(group)
            if self._store is None:
                frames += [_enlarge(latent) for latent in run]
            else:
                frames += self._restore_batch(run)
        return frames

    def _restore_batch(self, latents: Sequence[Latent]) -> list[Frame]:
        """The latents are expanded into the runtime's input, and the frames are its output: the
        planes of both are copied nowhere in between."""
        first = latents[0]
        inputs = {
            name: np.empty((len(latents), 1, *plane.shape), np.float32)
            for name, plane in zip("yuv", first.planes.channels, strict=True)
        }
        for place, latent in enumerate(latents):
            for i, (name, plane) in enumerate(zip("yuv", latent.planes.channels, strict=True)):
                latent.codebook.expand(i, plane, inputs[name][place, 0])
        inputs["condition"] = np.stack(
            [condition_vector(la.qp, la.scale, la.codebook.bits, self.fidelity) for la in latents]
        )
        inputs["guide"] = np.array([self._guide(latent) for latent in latents], np.float32)
        out = self._runtime(first.scale).run(inputs)
        return [
            _frame(latent, Planes(out[0][i, 0], out[1][i, 0], out[2][i, 0]))
            for i, latent in enumerate(latents)
        ]

    def _guide(self, latent: Latent) -> tuple[float, ...]:
        """A guide is for one restorer; to others it says nothing."""
        guide = latent.guide
        return guide.values if guide and guide.restorer == self._id else _NO_GUIDE


def open_encoder(engine: str, *, threads: int) -> LatentEncoder:
    """The streamer's half. Every network restorer shares one encoder.

    Raises UnknownEngineError, and WeightsError unless the engine is `auto`.
    """
    if engine == PLAIN:
        return LatentEncoder(None, threads)
    try:
        store = _store_with(engine)
        store.graph(ENCODER, 2)
    except WeightsError as error:
        if engine != AUTO:
            raise
        return LatentEncoder(None, threads, f"no encoder network ({error})")
    return LatentEncoder(store, threads)


def open_restorer(
    engine: str, network_id: bytes, *, threads: int, fidelity: float = FIDELITY
) -> Restorer:
    """The viewer's half for streams of an encoder network.

    `auto` takes the first installed partner. A stream without a partner here gets plain
    upscaling, with the reason. Raises UnknownEngineError, and WeightsError unless `auto`.
    """
    if engine == PLAIN:
        return Restorer(PLAIN, None, threads, "as asked for")
    if network_id == NO_NETWORK:
        return Restorer(PLAIN, None, threads, "the stream was made without a network")
    try:
        store = _store_with(engine)
        partners = store.restorers_of(network_id)
        name = next((n for n in partners if engine in (AUTO, n)), None)
        if name is None:
            reason = f"no partner here of the stream's encoder network {network_id.hex()}"
            return Restorer(PLAIN, None, threads, reason)
        store.graph(name, 2)
    except WeightsError as error:
        if engine != AUTO:
            raise
        return Restorer(PLAIN, None, threads, str(error))
    return Restorer(name, store, threads, fidelity=fidelity)


def _store_with(engine: str) -> WeightStore:
    store = WeightStore()
    if engine not in (AUTO, *store.restorers):
        known = ", ".join([AUTO, *store.restorers, PLAIN])
        raise UnknownEngineError(f"unknown engine {engine!r}; known: {known}")
    return store


def _compress(codebook: Codebook, values: Sequence[npt.NDArray[np.float32]]) -> Planes:
    y, u, v = (codebook.compress(i, p) for i, p in enumerate(values))
    return Planes(y, u, v)


def _expand(latent: Latent) -> list[npt.NDArray[np.float32]]:
    return [latent.codebook.expand(i, p) for i, p in enumerate(latent.planes.channels)]


def _enlarge(latent: Latent) -> Frame:
    planes = latent.planes
    if not latent.codebook.is_uniform or latent.codebook.bits != 8:
        y, u, v = (np.rint(p).astype(np.uint8) for p in _expand(latent))
        planes = Planes(y, u, v)
    size = padded_size(latent.source_width, latent.source_height, latent.scale)
    return _frame(latent, resized(planes, size))


def _frame(latent: Latent, padded: Planes) -> Frame:
    width, height = latent.source_width, latent.source_height
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (
        p[:rows, :columns]
        for p, (rows, columns) in zip(padded.channels, ((height, width), half, half), strict=True)
    )
    return Frame(Planes(y, u, v), latent.number, latent.captured_us)


def _pad(planes: Planes, width: int, height: int) -> Planes:
    """Repeat the border at the right and the bottom."""
    if (planes.width, planes.height) == (width, height):
        return planes
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    y, u, v = (
        np.pad(p, ((0, rows - p.shape[0]), (0, columns - p.shape[1])), mode="edge")
        for p, (rows, columns) in zip(planes.channels, shapes, strict=True)
    )
    return Planes(y, u, v)
