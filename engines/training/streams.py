"""The training clips as real x265 streams: what the viewer's networks will really see.

    .venv/bin/python -m engines.training.streams DATA [--weights FOLDER] [--rounds 2]

For each clip and round: a seeded scale, rate factor and bits; the installed encoder makes the
latents as the streamer does, x265 codes them at low latency, and the decoded latents of every frame
are kept with their QP. Three quarters of the streams have played the clip to and fro before, so
that most pictures lie as deep in a chain of P pictures as a live stream's. DATA/streams.npy holds
latents as carried, SIDE samples a side: the whole latent in the corner, or a part of it at scale 1.
DATA/streams.json says what each row is, how far its pictures are from the source when they are
upscaled plainly, and holds the codebooks.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engines.carrier import CarrierDecoder, CarrierEncoder, best_preset
from engines.codebook import BITS_MAX
from engines.codec import PLAIN, LatentEncoder, Restorer, open_restorer
from engines.evaluation.measures import mean_squared_error
from engines.frame import Frame
from engines.training.clips import FRAMES, SIZE, cropped, pack, unpack
from engines.weight_store import NO_NETWORK, WEIGHTS_FOLDER, WeightStore

SIDE = SIZE // 2
# least, likeliest, most: thin streams are what denc is for, and scale 1 is not for the thinnest
CRF_RANGES = {1: (18.0, 32.0, 44.0)} | dict.fromkeys((2, 3, 4), (17.0, 44.0, 51.0))
SCALE_SHARES = {1: 0.15, 2: 0.4, 3: 0.25, 4: 0.2}
BITS_WEIGHTS = {8: 0.8, 7: 0.05, 6: 0.05, 5: 0.05, 4: 0.05}
PLACE_STEP = 48  # pixels
PART_STREAMS = 256  # after so many more, training sees them
LEADS = 4  # the clip is played 0 to 3 times before the pictures that are kept
FPS = 25


@dataclass(frozen=True)
class StreamRow:
    """One coded clip: where it comes from and how it was coded.

    `lead`: how often it was played before, backwards every second time; `top`, `left`: where the
    part that is kept at scale 1 begins, else 0, in pixels of the clip; one per frame: `qps`, and
    `errors`, the mean squared error of the luma (8-bit levels) of its plain enlargement.
    """

    clip: int
    lead: int
    top: int
    left: int
    scale: int
    bits: int
    qps: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()


def draw(clip: int, rng: np.random.Generator) -> StreamRow:
    """How a clip is to be coded."""
    scale = int(rng.choice(list(SCALE_SHARES), p=list(SCALE_SHARES.values())))
    lead = int(rng.integers(LEADS))
    if scale == 1:  # the source itself: no codebook, and larger than what is kept
        top, left = rng.integers((SIZE - SIDE) // PLACE_STEP + 1, size=2) * PLACE_STEP
        return StreamRow(clip, lead, int(top), int(left), scale, BITS_MAX)
    bits = int(rng.choice(list(BITS_WEIGHTS), p=list(BITS_WEIGHTS.values())))
    return StreamRow(clip, lead, 0, 0, scale, bits)


def code_clip(
    plan: StreamRow, packed: npt.NDArray[np.uint8], crf: float
) -> tuple[StreamRow, npt.NDArray[np.uint8]]:
    """Latents of one clip through x265 and back: (FRAMES, SIDE * 3 / 2, SIDE), QPs and errors.

    Raises RuntimeError if x265 keeps pictures back.
    """
    out = np.zeros((FRAMES, SIDE * 3 // 2, SIDE), np.uint8)
    side = SIZE // plan.scale
    kept = min(side, SIDE)
    carrier = CarrierEncoder(
        side,
        side,
        FPS,
        crf=crf,
        preset=best_preset(side, side, plan.scale, restored=True),
        restored=True,
        scale=plan.scale,
        threads=1,
    )
    decoder = CarrierDecoder()
    qps = []
    frames = [Frame(unpack(frame), number, 0) for number, frame in enumerate(packed)]
    latents = [_encoder().encode(f, scale=plan.scale, bits=plan.bits) for f in frames]
    played = [p for n in range(plan.lead, -1, -1) for p in (latents[::-1] if n % 2 else latents)]
    kept_from = plan.lead * FRAMES
    errors = []
    for number, latent in enumerate(played):
        for picture in carrier.encode(latent.planes, number):
            qps.append(round(picture.qp, 2))
            for index, decoded in decoder.decode(picture.data, picture.number):
                if index >= kept_from:
                    part = cropped(decoded, plan.top, plan.left, kept)
                    out[index - kept_from, : kept * 3 // 2, :kept] = pack(part)
                    shown = _plain().restore([replace(latents[index - kept_from], planes=decoded)])
                    source = frames[index - kept_from]
                    error = mean_squared_error(shown[0].planes.y, source.planes.y)
                    errors.append(round(error, 3))
    if len(qps) != len(played):
        raise RuntimeError(f"x265 gave {len(qps)} pictures for {len(played)}")
    return replace(plan, qps=tuple(qps[kept_from:]), errors=tuple(errors)), out


_WEIGHTS = WEIGHTS_FOLDER


@cache
def _encoder() -> LatentEncoder:
    """This process' encoder."""
    return LatentEncoder(WeightStore(_WEIGHTS), threads=1)


@cache
def _plain() -> Restorer:
    """What a viewer without a network shows."""
    return open_restorer(PLAIN, NO_NETWORK, threads=1)


def _start(weights: Path) -> None:
    global _WEIGHTS
    _WEIGHTS = weights


def make(data: Path, weights: Path, rounds: int, seed: int, workers: int) -> None:
    """Write DATA/streams.npy and DATA/streams.json; training can begin after PART_STREAMS."""
    rng = np.random.default_rng(seed)
    clips = np.load(data / "clips.npy", mmap_mode="r")
    shape = (len(clips) * rounds, FRAMES, SIDE * 3 // 2, SIDE)
    target = np.lib.format.open_memmap(data / "streams.npy", mode="w+", dtype=np.uint8, shape=shape)
    store = WeightStore(weights)
    codebooks = {str(bits): store.codebook(bits).to_bytes().hex() for bits in BITS_WEIGHTS}
    rows: list[dict[str, object]] = []
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(weights,)) as pool:
        for round_number in tqdm(range(rounds), desc="rounds"):
            plans = [draw(index, rng) for index in range(len(clips))]
            crfs = [rng.triangular(*CRF_RANGES[plan.scale]) for plan in plans]
            jobs = pool.map(code_clip, plans, clips, crfs, chunksize=4)
            for row, latents in tqdm(jobs, total=len(clips), desc=f"round {round_number + 1}"):
                target[len(rows)] = latents
                rows.append(asdict(row))
                if len(rows) % PART_STREAMS == 0 or len(rows) == len(target):
                    target.flush()
                    _write(data, {"codebooks": codebooks, "rows": rows})


def _write(data: Path, document: dict[str, object]) -> None:
    """Whole or not at all: training may be reading it."""
    unfinished = data / "streams.json.part"
    unfinished.write_text(json.dumps(document))
    unfinished.rename(data / "streams.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FOLDER, help="of the encoder")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    make(args.data, args.weights, args.rounds, args.seed, args.workers)


if __name__ == "__main__":
    main()
