"""libvmaf and XPSNR through the FFmpeg binary that the package `imageio-ffmpeg` carries.

Pictures go to it as raw 4:2:0 through two pipes, so nothing but libvmaf's log touches the disk.

    test, reference -> rawvideo pipes -> libvmaf -> JSON log
                                      -> xpsnr   -> line on stderr
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.evaluation import EvaluationError
from engines.evaluation.ffmpeg import ffmpeg_binary
from engines.frame import Planes

MS_SSIM_MIN_SIZE = 176  # pixels, each side: five scales of an 11-tap window
TIMEOUT_S = 600

_MODELS = r"version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=vmaf_neg"
_XPSNR_LUMA = re.compile(r"XPSNR\s+y:\s*([\d.]+|inf)")


def vmaf(test: Sequence[Planes], reference: Sequence[Planes], *, threads: int) -> dict[str, float]:
    """`vmaf` and `vmaf_neg`, means over the frames. Raises EvaluationError when FFmpeg fails."""
    means = _pooled(test, reference, f"model={_MODELS}", threads)
    return {name: means[name] for name in ("vmaf", "vmaf_neg")}


def structure(
    test: Sequence[Planes], reference: Sequence[Planes], *, threads: int
) -> dict[str, float]:
    """`ssim` and, from MS_SSIM_MIN_SIZE on, `ms_ssim`: libvmaf's float_ssim and float_ms_ssim.

    MS-SSIM takes four times as long as both VMAFs together. Raises EvaluationError when FFmpeg
    fails.
    """
    features = "name=float_ssim"
    if min(reference[0].width, reference[0].height) >= MS_SSIM_MIN_SIZE:
        features += "|name=float_ms_ssim"
    means = _pooled(test, reference, f"feature={features}", threads)
    return {
        name: means[f"float_{name}"] for name in ("ssim", "ms_ssim") if f"float_{name}" in means
    }


def xpsnr_y(test: Sequence[Planes], reference: Sequence[Planes]) -> float:
    """XPSNR of luma over the clip, dB; infinite when equal. Raises EvaluationError when FFmpeg
    fails.

    Its weights are of the first input, which is the reference: a blurred picture would forgive its
    own blur.
    """
    found = _XPSNR_LUMA.search(_run_ffmpeg(reference, test, "[0][1]xpsnr"))
    if found is None:
        raise EvaluationError("FFmpeg reported no XPSNR")
    return float(found.group(1))


def _pooled(
    test: Sequence[Planes], reference: Sequence[Planes], options: str, threads: int
) -> Mapping[str, float]:
    """libvmaf's means by name of the metric."""
    with tempfile.TemporaryDirectory(prefix="denc-measure-") as folder:
        log = Path(folder) / "vmaf.json"
        graph = f"[0][1]libvmaf={options}:log_fmt=json:log_path={log}:n_threads={threads}"
        _run_ffmpeg(test, reference, graph)
        pooled = json.loads(log.read_text())["pooled_metrics"]
    return {name: values["mean"] for name, values in pooled.items()}


def _run_ffmpeg(first: Sequence[Planes], second: Sequence[Planes], graph: str) -> str:
    """FFmpeg with both clips on pipes; returns what it said."""
    size = f"{first[0].width}x{first[0].height}"
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
            for (_, write_end), clip in zip(pipes, (first, second), strict=True)
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
