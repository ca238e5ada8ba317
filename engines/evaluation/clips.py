"""Reference clips: which file, which filter, which frames; read into planes.

A manifest is YAML: `clips:` holds one mapping per clip with `name, file, filter, start, frames,
fps` and, where wanted, `kind` and `fast`. A reference is the decoded file through `filter` (FFmpeg
syntax), `frames` frames from `start`, as 8-bit 4:2:0 of limited range, and of BT.709 where the file
names another matrix. FFmpeg's own binary does it: PyAV's filter graph drops a stream's colour tags,
and its scaler then shifts the luma of tagged streams.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from engines.evaluation import EvaluationError
from engines.evaluation.ffmpeg import ffmpeg_binary
from engines.frame import OTHER_MATRICES, Plane, Planes
from engines.plain_yaml import read_yaml

FAST_FRAMES = 48  # of each clip of the fast subset
EVEN_SIDES = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"


@dataclass(frozen=True)
class ClipEntry:
    """One reference of a manifest. `file` is the path as it can be opened."""

    name: str
    file: Path
    fps: float
    frames: int
    start: int = 0
    filter: str = ""
    kind: str = ""
    fast: bool = False


@dataclass(frozen=True, eq=False)
class Clip:
    """A reference in memory: all pictures of one size."""

    name: str
    fps: float
    pictures: tuple[Planes, ...]

    @property
    def width(self) -> int:
        return self.pictures[0].width

    @property
    def height(self) -> int:
        return self.pictures[0].height

    @property
    def seconds(self) -> float:
        return len(self.pictures) / self.fps


def read_manifest(path: Path, *, fast: bool = False) -> list[ClipEntry]:
    """The clips of a manifest, `fast`: of its fast subset, at most FAST_FRAMES frames of each.

    Raises EvaluationError when the manifest cannot be read or a clip's keys are wrong.
    """
    try:
        document: Any = read_yaml(path.read_bytes())
        entries = [_clip_entry(path.parent, clip) for clip in document["clips"]]
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise EvaluationError(f"manifest {path}: {error}") from error
    if not fast:
        return entries
    return [shortened(entry, FAST_FRAMES) for entry in entries if entry.fast]


def _clip_entry(folder: Path, clip: dict[str, Any]) -> ClipEntry:
    """A clip of a manifest. Raises TypeError, KeyError or ValueError when it is none."""
    entry = ClipEntry(**{**clip, "file": folder / clip["file"]})
    texts = (entry.name, entry.filter, entry.kind)
    if not all(isinstance(text, str) for text in texts) or not entry.name:
        raise ValueError("name, filter and kind of a clip are texts")
    if type(entry.start) is not int or type(entry.frames) is not int or entry.start < 0:
        raise ValueError(f"clip {entry.name}: start and frames are whole numbers")
    if entry.frames < 1 or not 0 < entry.fps < math.inf:
        raise ValueError(f"clip {entry.name}: frames and fps must be more than nothing")
    return entry


def video_entry(path: Path, frames_max: int) -> ClipEntry:
    """A reference from a video file: its native size cropped to even sides, at the file's mean
    frame rate, its first frames, at most `frames_max`.

    Raises EvaluationError when it is no video.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise EvaluationError(f"{path} has no video")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            packets = container.demux(stream)
            frames = sum(1 for _ in islice(filter(_is_shown, packets), frames_max))
    except (OSError, av.FFmpegError) as error:
        raise EvaluationError(f"cannot read {path}: {error}") from error
    if not rate or not frames:
        raise EvaluationError(f"{path} has no {'frames' if rate else 'frame rate'}")
    return ClipEntry(path.stem, path, float(rate), frames, filter=EVEN_SIDES)


def shortened(entry: ClipEntry, frames: int) -> ClipEntry:
    """The same reference, at most its first `frames` frames."""
    return replace(entry, frames=min(entry.frames, frames))


def read_clip(entry: ClipEntry) -> Clip:
    """Decode a reference. Raises EvaluationError when it cannot be read or is too short."""
    if not entry.file.is_file():
        raise EvaluationError(f"clip {entry.name}: there is no file {entry.file}")
    steps = [f"trim=start_frame={entry.start}:end_frame={entry.start + entry.frames}"]
    steps += filter(None, [entry.filter, *_as_streamed(entry.file), "format=yuv420p"])
    # fmt: off
    command = [
        ffmpeg_binary(), "-v", "error", "-nostdin", "-i", str(entry.file), "-map", "0:v:0",
        "-vf", ",".join(steps), "-fps_mode", "passthrough", "-f", "yuv4mpegpipe", "-",
    ]
    # fmt: on
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        pictures = tuple(_y4m_pictures(process.stdout))
        process.wait()
        errors.seek(0)
        said = "; ".join(errors.read().decode(errors="replace").strip().splitlines()[:2])
    if len(pictures) < entry.frames:
        raise EvaluationError(
            f"clip {entry.name}: {entry.file} has {len(pictures)} of {entry.frames} frames"
            f"{said and f' ({said})'}"
        )
    return Clip(entry.name, entry.fps, pictures)


def _is_shown(packet: av.Packet[Any]) -> bool:
    """Whether it holds a picture that is shown: an edit list leaves out the first ones."""
    return packet.size > 0 and not packet.is_discard


def _as_streamed(file: Path) -> list[str]:
    """Filters that make limited range BT.709 of what says that it is not, as the streamer does."""
    try:
        with av.open(str(file)) as container:
            picture = next(container.decode(video=0))
    except (OSError, av.FFmpegError, StopIteration, IndexError):
        return []  # FFmpeg will say why
    steps = []
    if picture.color_range == ColorRange.JPEG:
        steps.append("scale=out_range=limited")
    if picture.colorspace in OTHER_MATRICES:  # in a step of its own, as in `engines.frame`
        steps.append("scale=out_color_matrix=bt709")
    return steps


def _y4m_pictures(stream: IO[bytes]) -> Iterator[Planes]:
    """Pictures of a YUV4MPEG2 stream in 4:2:0, which says its size in its first line."""
    tags = stream.readline().decode("ascii").split()
    if not tags:
        return
    width, height = (
        next(int(tag[1:]) for tag in tags[1:] if tag.startswith(key)) for key in ("W", "H")
    )
    half = ((height + 1) // 2, (width + 1) // 2)
    while stream.readline():  # "FRAME"
        luma = _plane(stream, (height, width))
        yield Planes(luma, _plane(stream, half), _plane(stream, half))


def _plane(stream: IO[bytes], shape: tuple[int, int]) -> Plane:
    return np.frombuffer(stream.read(shape[0] * shape[1]), np.uint8).reshape(shape)
