"""Where FFmpeg's binary is: the one that the package `imageio-ffmpeg` carries."""

from __future__ import annotations

import subprocess
from functools import cache

import imageio_ffmpeg

from engines.evaluation import EvaluationError

NEEDED_FILTERS = ("libvmaf", "xpsnr")


@cache
def ffmpeg_binary() -> str:
    """The FFmpeg binary, seen to have libvmaf and xpsnr. Raises EvaluationError."""
    try:
        binary = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise EvaluationError(f"no FFmpeg binary: {error}") from error
    listed = subprocess.run([binary, "-hide_banner", "-filters"], capture_output=True, text=True)
    for name in NEEDED_FILTERS:
        if f" {name} " not in listed.stdout:
            raise EvaluationError(f"the FFmpeg binary {binary} has no filter {name}")
    return binary
