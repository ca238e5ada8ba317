"""How near the carrier's proxy comes to real x265.

    .venv/bin/python -m engines.training.proxy_check [--manifest clips.yaml] --json FILE --plot FILE

Latents of the installed encoder, from the middle of a manifest's clips or of the packed training
clips, are coded at constant QPs by x265, set as the streamer sets it, and by the proxy. For first
pictures (I) and later ones (P) apart: the correlation of their bits (logarithms; Spearman's of
ranks), the mean ratio of bits, the difference in PSNR-Y. --calibrate also fits the bits of the
proxy's elements: put them into `choice.WEIGHTS`, and only from training clips.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from engines.codec import LatentEncoder, open_encoder
from engines.evaluation.clips import read_clip, read_manifest, shortened
from engines.evaluation.measures import psnr
from engines.frame import Frame, Planes
from engines.training.choice import WEIGHTS
from engines.training.clips import SIZE, cropped, unpack
from engines.training.proxy import carry, picture_qps
from engines.training.real_carrier import code_clip

QPS = (18, 22, 26, 30, 34, 38, 42, 45)
SIDE = SIZE  # pixels of the source
BITS = 8
KINDS = ("I", "P")
FIT_PASSES = 8
PRIOR_WEIGHT = 0.01  # of the present weights in a fit: what pictures cannot tell apart stays
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One picture at one QP, both ways; PSNR-Y is that of the latent."""

    clip: str
    scale: int
    qp: int
    picture: int
    real_bits: int
    proxy_bits: float
    real_psnr_y: float
    proxy_psnr_y: float
    elements: tuple[float, ...]

    @property
    def kind(self) -> str:
        return KINDS[min(self.picture, 1)]


@dataclass(frozen=True)
class Agreement:
    """Proxy and x265 over some pictures; `bits_ratio` is a geometric mean, proxy over real."""

    kind: str
    qp: int | None  # None: all
    pictures: int
    pearson: float
    spearman: float
    bits_ratio: float
    psnr_gap_db: float  # proxy less real
    psnr_gap_deviation_db: float


def rows_of(name: str, source: Sequence[Planes], scale: int, encoder: LatentEncoder) -> list[Row]:
    """Every picture of a clip at every QP."""
    latents = [
        encoder.encode(Frame(planes, number, 0), scale=scale, bits=BITS).planes
        for number, planes in enumerate(source)
    ]
    y, u, v = (
        torch.from_numpy(np.stack([planes.channels[i] for planes in latents])).float()[
            None, :, None
        ]
        for i in range(3)
    )
    y, u, v = (plane.expand(len(QPS), -1, -1, -1, -1) for plane in (y, u, v))
    with torch.no_grad():
        proxy = carry((y, u, v), picture_qps(torch.tensor(QPS).float(), len(latents)))
    rows = []
    for index, qp in enumerate(QPS):
        real = code_clip(latents, scale, qp=qp)
        shown = proxy.planes[0][index, :, 0].to(torch.uint8).numpy()
        rows += [
            Row(
                clip=name,
                scale=scale,
                qp=qp,
                picture=t,
                real_bits=real.bits[t],
                proxy_bits=float(proxy.bits[index, t]),
                real_psnr_y=psnr(real.pictures[t].y, latent.y),
                proxy_psnr_y=psnr(shown[t], latent.y),
                elements=tuple(proxy.elements[index, t].tolist()),
            )
            for t, latent in enumerate(latents)
        ]
    return rows


def agreement(rows: Sequence[Row], kind: str, qp: int | None = None) -> Agreement:
    """Over the pictures of a kind, at one QP or all; at least three of them."""
    chosen = [row for row in rows if row.kind == kind and qp in (None, row.qp)]
    real = np.log2([row.real_bits for row in chosen])
    proxy = np.log2([max(row.proxy_bits, 1.0) for row in chosen])
    gaps = np.array([row.proxy_psnr_y - row.real_psnr_y for row in chosen])
    return Agreement(
        kind,
        qp,
        len(chosen),
        float(np.corrcoef(proxy, real)[0, 1]),
        float(np.corrcoef(_ranks(proxy), _ranks(real))[0, 1]),
        float(2 ** (proxy - real).mean()),
        float(gaps.mean()),
        float(gaps.std()),
    )


def calibrated(rows: Sequence[Row]) -> Array:
    """Bits of each element, none below 0, for the least relative error, drawn to the present."""
    elements = np.array([row.elements for row in rows])
    bits = np.array([row.real_bits for row in rows], float)
    prior = np.array(WEIGHTS)
    inertia = np.sqrt(PRIOR_WEIGHT * len(rows)) * np.diag(1 / prior)
    weights = prior
    for _ in range(FIT_PASSES):
        # between real and fitted bits: relative to real ones alone, too little would be best
        each = 1 / np.sqrt(bits * np.maximum(elements @ weights, bits / 5))
        matrix = np.vstack([elements * each[:, None], inertia])
        weights = _non_negative(matrix, np.concatenate([bits * each, inertia @ prior]))
    return weights


def report(rows: Sequence[Row]) -> list[Agreement]:
    """All pictures of each kind, then by QP."""
    qps = sorted({row.qp for row in rows})
    return [agreement(rows, kind, qp) for kind in KINDS for qp in (None, *qps)]


def printed(found: Sequence[Agreement]) -> str:
    """The report as a table."""
    lines = ["     QP  pictures  Pearson  Spearman  bits proxy/real  PSNR-Y gap, dB (deviation)"]
    lines += [
        f"{a.kind}  {'all' if a.qp is None else a.qp:>4}  {a.pictures:8d}  {a.pearson:7.3f}"
        f"  {a.spearman:8.3f}  {a.bits_ratio:15.2f}  {a.psnr_gap_db:+.2f}"
        f" ({a.psnr_gap_deviation_db:.2f})"
        for a in found
    ]
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Bits of both against each other, and the gap in PSNR by QP."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, kind in zip(axes[:2], KINDS, strict=True):
        chosen = [row for row in rows if row.kind == kind]
        real = [row.real_bits for row in chosen]
        dots = axis.scatter(
            real, [row.proxy_bits for row in chosen], 6, c=[row.qp for row in chosen], alpha=0.6
        )
        axis.plot([min(real), max(real)], [min(real), max(real)], color="grey", lw=1)
        axis.set(xscale="log", yscale="log", xlabel="x265, bits a picture", ylabel="proxy")
        axis.set_title(f"{kind} pictures, r = {agreement(rows, kind).pearson:.3f}")
        figure.colorbar(dots, ax=axis, label="QP")
    for kind in KINDS:
        by_qp = [a for a in report(rows) if a.kind == kind and a.qp is not None]
        gaps = [a.psnr_gap_db for a in by_qp]
        deviations = [a.psnr_gap_deviation_db for a in by_qp]
        axes[2].errorbar([a.qp for a in by_qp], gaps, deviations, capsize=3, label=kind)
    axes[2].axhline(0, color="grey", lw=1)
    axes[2].set(xlabel="QP", title="PSNR-Y, proxy less x265, dB")
    axes[2].legend()
    figure.savefig(path, dpi=110)


def sources(
    manifest: Path | None, data: Path, clips: int, frames: int, fast: bool
) -> Iterator[tuple[str, list[Planes]]]:
    """Names and pictures, SIDE x SIDE from their middles."""
    if manifest is None:
        packed = np.load(data / "clips.npy", mmap_mode="r")
        for index in np.linspace(0, len(packed) - 1, min(clips, len(packed))).astype(int):
            yield str(index), [_middle(unpack(frame)) for frame in packed[index, :frames]]
        return
    for entry in read_manifest(manifest, fast=fast)[:clips]:
        yield entry.name, [_middle(p) for p in read_clip(shortened(entry, frames)).pictures]


def _middle(planes: Planes) -> Planes:
    top, left = (max(0, side - SIDE) // 4 * 2 for side in (planes.height, planes.width))
    return cropped(planes, top, left, SIDE)


def _ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values)).astype(float)


def _non_negative(matrix: Array, wanted: Array) -> Array:
    """Least squares without negative weights: the most negative one is left out, until none is."""
    used = list(range(matrix.shape[1]))
    while True:
        found = np.linalg.lstsq(matrix[:, used], wanted, rcond=None)[0]
        if found.min() >= 0:
            weights = np.zeros(matrix.shape[1])
            weights[used] = found
            return weights
        used.pop(int(np.argmin(found)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", type=Path, help="clips to code; else the training clips")
    parser.add_argument("--fast", action="store_true", help="the manifest's fast subset")
    parser.add_argument("--data", type=Path, default=Path("runs/data"), help="of the packed clips")
    parser.add_argument("--clips", type=int, default=24, help="at most")
    parser.add_argument("--frames", type=int, default=8, help="of each clip")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--calibrate", action="store_true", help="print fitted weights of bits")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    encoder = open_encoder("auto", threads=args.threads)
    rows: list[Row] = []
    clips = sources(args.manifest, args.data, args.clips, args.frames, args.fast)
    for name, pictures in tqdm(clips, desc="clips", unit="clip"):
        for scale in args.scales:
            rows += rows_of(name, pictures, scale, encoder)
    found = report(rows)
    print(printed(found))
    if args.calibrate:
        print("WEIGHTS =", tuple(round(float(w), 2) for w in calibrated(rows)))
    if args.json:
        document = {"agreement": [asdict(a) for a in found], "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(document))
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
