"""What the viewer showed, made again from the stream it recorded.

Restoration is deterministic (tests/benches checks it), so the live run need not spend its time on
writing pictures: `denc-view --input` restores the recorded stream to the very same pictures.
"""

from __future__ import annotations

from pathlib import Path

import av

from benches import BenchError
from benches.demo.engine import demo_engine
from benches.demo.live import read_frame_log
from benches.demo.processes import Daemon
from engines.carrier import CarrierDecoder
from engines.errors import CarrierError
from engines.frame import Planes, planes_from_video_frame
from link.nal import split_annexb
from link.side_info import find_side_info
from viewer.playback import StreamFile

RESTORE_TIMEOUT_S = 300.0


def restored_by_number(stream_file: Path, size: tuple[int, int]) -> dict[int, Planes]:
    """The restored pictures of a stream file by frame number, cropped to `size` (width, height)."""
    folder = stream_file.parent
    recording, log = folder / "restored.mkv", folder / "restored.csv"
    recording.unlink(missing_ok=True)
    arguments = [
        "--input", str(stream_file), "--engine", demo_engine(),
        "--record", str(recording), "--record-quality", "lossless",
        "--log-frames", str(log), "--figures-port", "0",
    ]  # fmt: skip
    with Daemon("denc-view", arguments, folder / "restore.log") as viewer:
        viewer.wait(RESTORE_TIMEOUT_S)
    numbers = [frame.number for frame in read_frame_log(log)]
    with av.open(str(recording)) as container:
        pictures = [planes_from_video_frame(picture) for picture in container.decode(video=0)]
    if len(pictures) != len(numbers):
        raise BenchError(f"{recording} has {len(pictures)} pictures, its log {len(numbers)}")
    return {number: cropped(planes, size) for number, planes in zip(numbers, pictures, strict=True)}


def scales_of(stream_file: Path) -> tuple[int, ...]:
    """The scales that the stream was sent at, each once, in order of their first picture."""
    infos = (find_side_info(split_annexb(unit.data)) for unit in StreamFile(stream_file))
    return tuple(dict.fromkeys(info.scale for info in infos if info is not None))


def preview_of(stream_file: Path, index: int) -> Planes:
    """The picture that access unit `index` carries: what a plain H.265 player would show."""
    decoder = CarrierDecoder()
    found: list[Planes] = []
    for number, unit in enumerate(StreamFile(stream_file)):
        try:
            found = [planes for _, planes in decoder.decode(unit.data, number)] or found
        except CarrierError as error:
            raise BenchError(f"{stream_file}: {error}") from error
        if number >= index:
            break
    if not found:
        raise BenchError(f"{stream_file} has no picture {index}")
    return found[-1]


def cropped(planes: Planes, size: tuple[int, int]) -> Planes:
    """Without the row or column that a recording adds to make its sides even."""
    width, height = size
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    return Planes(
        planes.y[:height, :width],
        planes.u[:half_height, :half_width],
        planes.v[:half_height, :half_width],
    )
