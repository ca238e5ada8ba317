"""Source clips for training: short moving crops, made from photos and videos, packed as 4:2:0.

    .venv/bin/python -m engines.training.clips PHOTOS_AND_VIDEOS OUT [--clips 2000] [--seed 1]
        [--workers 2]

A photo becomes a clip by a seeded camera move (pan, zoom, rotation, shake), with exposure drift
and sensor noise; a video is downscaled first, which hides its own compression. OUT/clips.npy
holds (clips, FRAMES, SIZE * 3 / 2, SIZE) uint8: luma above the two chroma planes side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from tqdm import tqdm

from engines.frame import Planes, planes_from_video_frame, resized

SIZE = 384  # pixels, each side of a clip
FRAMES = 8
PHOTO_SHARE = 0.4
SOFT_SHARE = 0.35  # of the photos' clips: real cameras are often softer than their pixels
SOFT_VIDEO_SHARE = 0.65  # of the videos': what is restored is mostly video at its own size
PHOTO_ENDINGS = (".webp", ".jpg", ".jpeg", ".png")
VIDEO_ENDINGS = (".mp4", ".webm", ".mkv", ".mov")

Packed = npt.NDArray[np.uint8]


def pack(planes: Planes) -> Packed:
    """(H, W) luma and its chroma as one array (H * 3 / 2, W)."""
    return np.concatenate([planes.y, np.concatenate([planes.u, planes.v], axis=1)])


def unpack(packed: Packed) -> Planes:
    """The inverse of `pack`."""
    height = packed.shape[0] * 2 // 3
    half = packed.shape[1] // 2
    return Planes(packed[:height], packed[height:, :half], packed[height:, half:])


def cropped(planes: Planes, top: int, left: int, side: int) -> Planes:
    """A square part; its place and side must be even."""
    y, u, v = (
        c[top // part : (top + side) // part, left // part : (left + side) // part]
        for c, part in zip(planes.channels, (1, 2, 2), strict=True)
    )
    return Planes(y, u, v)


def photo_clip(photo: Planes, rng: np.random.Generator) -> Iterator[Packed]:
    """A camera move over a photo: FRAMES packed pictures of SIZE x SIZE.

    The photo is shrunk first and then sampled at about its own pitch: only blurred sources would
    teach the networks that there is no detail to restore. A share is sampled more finely than its
    pitch: only sharp ones teach them to invent detail where a soft camera has none.
    """
    shrink = min(rng.uniform(1.0, 2.4), min(photo.width, photo.height) / (1.25 * SIZE))
    size = [
        max(SIZE, round(side / max(shrink, 1.0) / 2) * 2) for side in (photo.width, photo.height)
    ]
    planes = resized(photo, (size[0], size[1]))
    pitch = rng.uniform(0.4, 0.85) if rng.random() < SOFT_SHARE else rng.uniform(0.85, 1.1)
    zoom = min(pitch, 0.95 * min(size) / SIZE)  # photo pixels per clip pixel
    reach = SIZE * zoom / 2
    centre = np.array(
        [rng.uniform(reach, planes.width - reach), rng.uniform(reach, planes.height - reach)]
    )
    speed = rng.normal(0, 1, 2) * rng.choice([0.0, 1.5, 6.0, 14.0]) * zoom
    angle, turn = rng.uniform(-0.3, 0.3), rng.normal(0, 0.004)
    growth = 1 + rng.normal(0, 0.006)
    shake = rng.choice([0.0, 0.3, 1.0]) * zoom
    gain, drift = rng.uniform(0.8, 1.15), rng.normal(0, 0.01)
    noise = rng.choice([0.0, 0.8, 2.0], p=[0.5, 0.3, 0.2])
    flip = rng.random() < 0.5
    channels = [
        torch.from_numpy(np.ascontiguousarray(c)).float()[None, None] for c in planes.channels
    ]
    for _ in range(FRAMES):
        picture = []
        at = centre + rng.normal(0, 1, 2) * shake
        for index, channel in enumerate(channels):
            side = SIZE if index == 0 else SIZE // 2
            values = F.grid_sample(
                channel,
                _grid(side, at, angle, zoom, planes.width, planes.height, flip),
                mode="bicubic",
                padding_mode="reflection",
                align_corners=False,
            )[0, 0].numpy()
            values = (values - 16) * gain + 16 if index == 0 else (values - 128) * gain + 128
            if noise:
                values = values + rng.normal(0, noise if index == 0 else noise / 2, values.shape)
            picture.append(np.clip(np.rint(values), 0, 255).astype(np.uint8))
        yield pack(Planes(*picture))
        centre, angle, zoom, gain = centre + speed, angle + turn, zoom * growth, gain + drift


def _grid(
    side: int,
    at: npt.NDArray[np.float64],
    angle: float,
    zoom: float,
    width: int,
    height: int,
    flip: bool,
) -> torch.Tensor:
    """Sampling positions (1, side, side, 2) of a rotated, zoomed square around `at` (pixels)."""
    steps = (torch.arange(side) + 0.5) / side - 0.5
    rows, columns = torch.meshgrid(steps, -steps if flip else steps, indexing="ij")
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    x = at[0] + (columns * cos - rows * sin) * SIZE * zoom
    y = at[1] + (columns * sin + rows * cos) * SIZE * zoom
    return torch.stack([x / width * 2 - 1, y / height * 2 - 1], dim=-1)[None].float()


def video_clips(path: Path, count: int, rng: np.random.Generator) -> Iterator[Iterator[Packed]]:
    """`count` clips of a video, spread over its length, each downscaled and cropped at random."""
    with av.open(str(path)) as container:
        pictures = [p for _, p in zip(range(420), container.decode(video=0), strict=False)]
    for _ in range(count):
        step = int(rng.choice([1, 1, 2]))
        start = int(rng.integers(0, max(1, len(pictures) - FRAMES * step)))
        chosen = pictures[start : start + FRAMES * step : step]
        if len(chosen) == FRAMES:
            yield _video_clip(chosen, rng)


def _video_clip(pictures: list[av.VideoFrame], rng: np.random.Generator) -> Iterator[Packed]:
    shortest = min(pictures[0].width, pictures[0].height)
    soft = rng.random() < SOFT_VIDEO_SHARE
    shrink = min(rng.uniform(1.0, 1.4) if soft else rng.uniform(1.4, 2.6), shortest / SIZE)
    width, height = (
        max(SIZE, round(s / shrink / 2) * 2) for s in (pictures[0].width, pictures[0].height)
    )
    left = int(rng.integers(0, (width - SIZE) // 2 + 1)) * 2
    top = int(rng.integers(0, (height - SIZE) // 2 + 1)) * 2
    flip = rng.random() < 0.5
    for picture in pictures:
        scaled = planes_from_video_frame(picture, (width, height))
        y, u, v = cropped(scaled, top, left, SIZE).channels
        yield pack(Planes(y[:, ::-1], u[:, ::-1], v[:, ::-1]) if flip else Planes(y, u, v))


@dataclass(frozen=True)
class Source:
    """A photo or video, and what is to be made of it."""

    path: Path
    clips: int
    seed: tuple[int, int]  # of the run, and of this source


def clips_of(source: Source) -> list[Packed]:
    """The clips (FRAMES, SIZE * 3 / 2, SIZE) of a source; of a short video, fewer or none."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(source.seed)
    if source.path.suffix.lower() in VIDEO_ENDINGS:
        return [np.stack(list(clip)) for clip in video_clips(source.path, source.clips, rng)]
    with av.open(str(source.path)) as container:
        planes = planes_from_video_frame(next(container.decode(video=0)))
    return [np.stack(list(photo_clip(planes, rng))) for _ in range(source.clips)]


def sources_in(folder: Path, clips: int, seed: int) -> list[Source]:
    """Every photo and video of a folder with its share of the clips.

    Raises SystemExit where there are none.
    """
    photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_ENDINGS)
    videos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_ENDINGS)
    if not photos and not videos:
        raise SystemExit(f"{folder}: no photos or videos in there")
    of_photos = (round(clips * PHOTO_SHARE) if videos else clips) if photos else 0
    shares = [(path, _share(of_photos, len(photos), i)) for i, path in enumerate(photos)]
    shares += [(path, _share(clips - of_photos, len(videos), i)) for i, path in enumerate(videos)]
    return [Source(path, share, (seed, number)) for number, (path, share) in enumerate(shares)]


def make(folder: Path, out: Path, clips: int, seed: int, workers: int) -> Path:
    """Write OUT/clips.npy; the order is shuffled, so that any part of it is a fair sample."""
    rng = np.random.default_rng(seed)
    sources = sources_in(folder, clips, seed)
    out.mkdir(parents=True, exist_ok=True)
    target = out / "clips.npy"
    shape = (clips, FRAMES, SIZE * 3 // 2, SIZE)
    packed = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
    places = rng.permutation(clips)
    done = 0
    with tqdm(total=clips, desc="clips", unit="clip") as bar, ProcessPoolExecutor(workers) as pool:
        for made in pool.map(clips_of, sources):
            for clip in made:
                packed[places[done]] = clip
                done += 1
            bar.update(len(made))
    for place in places[done:]:  # videos too short for their share
        packed[place] = packed[places[int(rng.integers(0, max(1, done)))]]
    packed.flush()
    return target


def _share(total: int, parts: int, index: int) -> int:
    return total * (index + 1) // parts - total * index // parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    args = parser.parse_args()
    print(make(args.sources, args.out, args.clips, args.seed, args.workers))


if __name__ == "__main__":
    main()
