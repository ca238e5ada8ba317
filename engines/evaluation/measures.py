"""Objective quality of a clip against its reference.

PSNR is computed here; VMAF, VMAF-NEG, XPSNR, SSIM and MS-SSIM come from the FFmpeg binary that the
package `imageio-ffmpeg` carries (libvmaf with its models built in). Pictures go to it as raw 4:2:0
through two pipes, so nothing touches the disk.

    test, reference -> rawvideo pipes -> libvmaf -> JSON log
                                      -> xpsnr   -> line on stderr
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from engines.evaluation import EvaluationError
from engines.evaluation.ffmpeg import ffmpeg_binary
from engines.frame import Plane, Planes

PSNR_MAX_DB = 100.0  # of equal pictures; as libvmaf's 60 dB cap, but out of the way
MS_SSIM_MIN_SIZE = 176  # pixels, each side: five scales of an 11-tap window
LOWER_IS_BETTER = frozenset({"lpips_sq", "dists_vgg"})
TIMEOUT_S = 600

_MODELS = r"version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=vmaf_neg"
_XPSNR_LUMA = re.compile(r"XPSNR\s+y:\s*([\d.]+|inf)")


@dataclass(frozen=True)
class ClipMeasures:
    """Means over the frames of a clip, higher is better; None where not taken."""

    frames: int
    psnr_y: float  # dB, mean of the frames' values
    vmaf: float  # 0..100, model vmaf_v0.6.1
    vmaf_neg: float  # 0..100, model vmaf_v0.6.1neg: sharpening does not lift it
    xpsnr_y: float | None = None  # dB
    ssim: float | None = None  # libvmaf's float_ssim
    ms_ssim: float | None = None  # libvmaf's float_ms_ssim; None below 176 pixels


def measure(
    test: Sequence[Planes],
    reference: Sequence[Planes],
    *,
    thorough: bool = False,
    threads: int = 2,
) -> ClipMeasures:
    """Measure `test` against `reference`, same number and size of pictures.

    `thorough` adds XPSNR, SSIM and MS-SSIM, at about four times the time.
    Raises EvaluationError when the clips do not match or FFmpeg fails.
    """
    _check_clips(test, reference)
    height, width = reference[0].y.shape
    with tempfile.TemporaryDirectory(prefix="denc-measure-") as folder:
        log = Path(folder) / "vmaf.json"
        stderr = _run_ffmpeg(test, reference, _filter_graph(log, width, height, thorough, threads))
        pooled = json.loads(log.read_text())["pooled_metrics"]
    found = {name: pooled[name]["mean"] for name in ("vmaf", "vmaf_neg")}
    if thorough:
        found["xpsnr_y"] = _xpsnr(stderr)
        found["ssim"] = pooled["float_ssim"]["mean"]
        found["ms_ssim"] = pooled.get("float_ms_ssim", {}).get("mean")
    psnr_y = float(np.mean([psnr(a.y, b.y) for a, b in zip(test, reference, strict=True)]))
    return ClipMeasures(frames=len(test), psnr_y=psnr_y, **found)


def psnr(test: Plane, reference: Plane) -> float:
    """PSNR of two 8-bit planes of the same shape, dB; PSNR_MAX_DB when they are equal."""
    error = mean_squared_error(test, reference)
    if error == 0:
        return PSNR_MAX_DB
    return min(PSNR_MAX_DB, 10 * math.log10(255**2 / error))


def mean_squared_error(test: Plane, reference: Plane) -> float:
    """Of two 8-bit planes of the same shape, in squared levels."""
    error = np.subtract(test, reference, dtype=np.float32)
    return float(np.mean(np.square(error), dtype=np.float64))


def mean_measures(results: Sequence[ClipMeasures]) -> ClipMeasures:
    """The mean over clips, each clip weighing the same; a measure that one lacks is None."""
    columns = {
        field.name: [getattr(r, field.name) for r in results] for field in fields(ClipMeasures)
    }
    frames = sum(columns.pop("frames"))
    means = {
        name: None if None in values else float(np.mean(values)) for name, values in columns.items()
    }
    return ClipMeasures(frames=frames, **means)  # type: ignore[arg-type]


def _check_clips(test: Sequence[Planes], reference: Sequence[Planes]) -> None:
    if not reference or len(test) != len(reference):
        raise EvaluationError(f"{len(test)} pictures to compare with {len(reference)}")
    shapes = {planes.y.shape for planes in (*test, *reference)}
    if len(shapes) != 1:
        raise EvaluationError(f"pictures of different sizes: {sorted(shapes)}")


def _filter_graph(log: Path, width: int, height: int, thorough: bool, threads: int) -> str:
    vmaf = f"libvmaf=model={_MODELS}:log_fmt=json:log_path={log}:n_threads={threads}"
    if not thorough:
        return f"[0][1]{vmaf}"
    features = "name=float_ssim"
    if min(width, height) >= MS_SSIM_MIN_SIZE:
        features += "|name=float_ms_ssim"
    return (
        "[0]split[t0][t1];[1]split[r0][r1];"
        f"[t0][r0]{vmaf}:feature={features}[v];[t1][r1]xpsnr[x];[v]nullsink;[x]null"
    )


def _run_ffmpeg(test: Sequence[Planes], reference: Sequence[Planes], graph: str) -> str:
    """FFmpeg with both clips on pipes; returns what it said."""
    size = f"{reference[0].width}x{reference[0].height}"
    pipes = [os.pipe(), os.pipe()]
    command = [ffmpeg_binary(), "-hide_banner", "-nostdin"]
    for read_end, _ in pipes:
        command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "25"]
        command += ["-i", f"pipe:{read_end}"]
    command += ["-lavfi", graph, "-f", "null", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[read_end for read_end, _ in pipes],
    ) as process:
        for read_end, _ in pipes:
            os.close(read_end)
        writers = [
            threading.Thread(target=_write_clip, args=(write_end, clip), daemon=True)
            for (_, write_end), clip in zip(pipes, (test, reference), strict=True)
        ]
        for writer in writers:
            writer.start()
        try:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise EvaluationError(f"FFmpeg did not end within {TIMEOUT_S} s") from error
        for writer in writers:
            writer.join()
    said = stderr.decode(errors="replace")
    if process.returncode:
        raise EvaluationError(f"FFmpeg failed: {'; '.join(said.strip().splitlines()[-3:])}")
    return said


def _write_clip(write_end: int, clip: Sequence[Planes]) -> None:
    """Feed one pipe; FFmpeg closing it early is told by its exit status."""
    try:
        with os.fdopen(write_end, "wb", buffering=0) as pipe:
            for planes in clip:
                for channel in planes.channels:
                    _write_all(pipe.fileno(), memoryview(channel.tobytes()))
    except BrokenPipeError:
        pass


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _xpsnr(stderr: str) -> float:
    found = _XPSNR_LUMA.search(stderr)
    if found is None:
        raise EvaluationError("FFmpeg reported no XPSNR")
    return min(PSNR_MAX_DB, float(found.group(1)))
