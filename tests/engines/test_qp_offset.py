"""Marking pictures with QP offsets costs no threads, whatever PyAV is installed."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from engines.qp_offset import QpOffset

TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir(), reason="not Linux")
def test_many_offsets_keep_no_threads() -> None:
    offsets, picture = QpOffset(64, 64, Fraction(1, 25)), av.VideoFrame(64, 64, "yuv420p")
    picture.pts = 0
    offsets.mark(picture, 0.0)
    threads, cores = len(os.listdir(TASKS)), os.sched_getaffinity(0)
    for offset in range(1, 20):
        offsets.mark(picture, float(offset))
    assert len(os.listdir(TASKS)) == threads
    assert os.sched_getaffinity(0) == cores
