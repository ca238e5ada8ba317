"""The training clips as real x265 streams: what the viewer's networks will really see.

    .venv/bin/python -m engines.training.streams DATA [--weights FOLDER] [--rounds 2]

For each clip and round: a seeded scale, rate factor and bits; the installed encoder makes the
latents as the streamer does, x265 codes them at low latency, and the decoded latents of every frame
are kept with their QP. Two thirds of the streams have played the clip to and fro before, so that
most pictures lie as deep in a chain of P pictures as a live stream's. DATA/streams.npy holds
latents as carried (padded to SIZE / 2); DATA/streams.json says what each row is and holds the
codebooks.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engines.carrier import CarrierDecoder, CarrierEncoder
from engines.codec import LatentEncoder
from engines.frame import Frame
from engines.training.clips import FRAMES, SIZE, pack, unpack
from engines.weight_store import WEIGHTS_FOLDER, WeightStore

SIDE = SIZE // 2  # of the largest latent; smaller ones stand in the corner
CRF_RANGE = (18.0, 42.0, 51.0)  # least, likeliest, most: thin streams are what denc is for
SCALE_SHARES = {2: 0.5, 3: 0.3, 4: 0.2}
BITS_WEIGHTS = {8: 0.8, 7: 0.05, 6: 0.05, 5: 0.05, 4: 0.05}
PRESET = "medium"
LEADS = 3  # the clip is played 0, 1 or 2 times before the pictures that are kept
FPS = 25


@dataclass(frozen=True)
class StreamRow:
    """One coded clip: where it comes from and how it was coded.

    `lead`: how often it was played before, backwards every second time; `qps`: one per frame.
    """

    clip: int
    lead: int
    scale: int
    bits: int
    qps: tuple[float, ...]


def code_clip(
    clip: int, packed: npt.NDArray[np.uint8], lead: int, scale: int, bits: int, crf: float
) -> tuple[StreamRow, npt.NDArray[np.uint8]]:
    """Latents of one clip through x265 and back: (FRAMES, SIDE * 3 / 2, SIDE).

    Raises RuntimeError if x265 keeps pictures back.
    """
    out = np.zeros((FRAMES, SIDE * 3 // 2, SIDE), np.uint8)
    side = SIZE // scale
    carrier = CarrierEncoder(side, side, FPS, crf=crf, preset=PRESET, threads=1)
    decoder = CarrierDecoder()
    qps = []
    frames = [Frame(unpack(frame), number, 0) for number, frame in enumerate(packed)]
    latents = [_encoder().encode(frame, scale=scale, bits=bits).planes for frame in frames]
    played = [p for n in range(lead, -1, -1) for p in (latents[::-1] if n % 2 else latents)]
    kept_from = lead * FRAMES
    for number, planes in enumerate(played):
        for picture in carrier.encode(planes, number):
            qps.append(round(picture.qp, 2))
            for index, decoded in decoder.decode(picture.data, picture.number):
                if index >= kept_from:
                    out[index - kept_from, : side * 3 // 2, :side] = pack(decoded)
    if len(qps) != len(played):
        raise RuntimeError(f"x265 gave {len(qps)} pictures for {len(played)}")
    return StreamRow(clip, lead, scale, bits, tuple(qps[kept_from:])), out


_WEIGHTS = WEIGHTS_FOLDER


@cache
def _encoder() -> LatentEncoder:
    """This process' encoder."""
    return LatentEncoder(WeightStore(_WEIGHTS), threads=1)


def _start(weights: Path) -> None:
    global _WEIGHTS
    _WEIGHTS = weights


def make(data: Path, weights: Path, rounds: int, seed: int, workers: int) -> None:
    """Write DATA/streams.npy and DATA/streams.json."""
    rng = np.random.default_rng(seed)
    clips = np.load(data / "clips.npy", mmap_mode="r")
    shape = (len(clips) * rounds, FRAMES, SIDE * 3 // 2, SIDE)
    target = np.lib.format.open_memmap(data / "streams.npy", mode="w+", dtype=np.uint8, shape=shape)
    rows: list[dict[str, object]] = []
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(weights,)) as pool:
        for round_number in tqdm(range(rounds), desc="rounds"):
            bits = rng.choice(list(BITS_WEIGHTS), len(clips), p=list(BITS_WEIGHTS.values()))
            scales = rng.choice(list(SCALE_SHARES), len(clips), p=list(SCALE_SHARES.values()))
            crfs = rng.triangular(*CRF_RANGE, len(clips))
            leads = rng.integers(LEADS, size=len(clips))
            jobs = pool.map(
                code_clip, range(len(clips)), clips, map(int, leads), map(int, scales),
                map(int, bits), map(float, crfs), chunksize=4,
            )  # fmt: skip
            for row, latents in tqdm(jobs, total=len(clips), desc=f"round {round_number + 1}"):
                target[len(rows)] = latents
                rows.append(asdict(row))
    target.flush()
    store = WeightStore(weights)
    codebooks = {str(bits): store.codebook(bits).to_bytes().hex() for bits in BITS_WEIGHTS}
    (data / "streams.json").write_text(json.dumps({"codebooks": codebooks, "rows": rows}))


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
