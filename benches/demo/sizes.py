"""The largest picture that this machine streams and restores in real time, both ends on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benches.demo.engine import demo_engine
from benches.demo.live import LiveRun, Setting, run_live
from daemon.cores import cores
from engines.carrier import CarrierDecoder, CarrierEncoder
from engines.codec import AUTO, open_encoder, open_restorer
from engines.frame import Frame

# one plain rule for every source: a thin link, where `--scale auto` begins at half size; fixed
# without looking at who wins there (720p at 25 frames/s: 138 kbit/s). At 0.01 `auto` sends
# the built-in scene at full size, where denc does least
BITS_PER_PIXEL = 0.006
BITRATE_MIN_BPS = 10_000
HEIGHTS = (720, 540, 480, 360, 272)
ASPECT = 16 / 9
TRIAL_S = 4.0
CORES_USED = 0.8  # of the estimate: the rest goes to WebRTC, waiting and other programs
ESTIMATE_FRAMES = 25  # that rate and time are estimated on
SMALLER = 0.9  # a size less than this much smaller is not worth a trial
BITS, FPS = 8, 25.0  # of the estimate

Runner = Callable[[Setting, float, Path], LiveRun]


def sizes_for(own: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Sizes (width, height) to choose from, largest first.

    `own` is a file's size: its shape is kept, and it is not enlarged.
    """
    aspect = ASPECT if own is None else own[0] / own[1]
    sizes = [(round(height * aspect / 16) * 16, height) for height in HEIGHTS]
    if own is None:
        return sizes
    smaller = [size for size in sizes if size[1] < SMALLER * own[1]]
    even = own[0] // 2 * 2, own[1] // 2 * 2
    return [even, *smaller] if even[1] <= HEIGHTS[0] else smaller


def setting_for(source: str, size: tuple[int, int], fps: float) -> Setting:
    """The bitrate grows with the pixels."""
    bitrate = max(BITRATE_MIN_BPS, round(BITS_PER_PIXEL * size[0] * size[1] * fps, -3))
    return Setting(source, size[0], size[1], fps, int(bitrate))


def cpu_s_per_pixel(frames: Sequence[Frame]) -> float:
    """CPU time of both halves of the codec for one source pixel, measured on a few frames."""
    encoder = open_encoder(AUTO, threads=1)
    restorer = open_restorer(demo_engine(), encoder.network_id, threads=1)
    pixels = frames[0].width * frames[0].height
    setting = setting_for("", (frames[0].width, frames[0].height), FPS)
    carrier: CarrierEncoder | None = None
    decoder = CarrierDecoder()
    started = 0.0
    for index, frame in enumerate(frames):
        if index == 1:  # the first frame loads the networks
            started = time.process_time()
        latent = encoder.encode(frame, scale=setting.scale, bits=BITS)
        planes = latent.planes
        carrier = carrier or CarrierEncoder(
            planes.width, planes.height, FPS, bitrate_bps=setting.bitrate_bps
        )
        for coded in carrier.encode(planes, index):
            decoder.decode(coded.data, index)
        restorer.restore([latent])
    return (time.process_time() - started) / (len(frames) - 1) / pixels


def estimate(sizes: Sequence[tuple[int, int]], fps: float, per_pixel_s: float) -> int:
    """Index of the largest size that should hold."""
    for index, (width, height) in enumerate(sizes):
        if width * height * fps * per_pixel_s <= CORES_USED * cores():
            return index
    return len(sizes) - 1


def find_largest(
    settings: Sequence[Setting],
    start: int,
    folder: Path,
    *,
    runner: Runner = run_live,
    tell: Callable[[str], None] = print,
) -> Setting:
    """Try sizes from `start` on, up while they hold and down while not: the largest that holds.

    The smallest is given back even if it does not hold, which is told.
    """
    index, tried = start, dict[int, bool]()
    while 0 <= index < len(settings) and index not in tried:
        run = runner(settings[index], TRIAL_S, folder)
        tried[index] = run.holds
        tell(
            f"  {settings[index].size}: {'holds' if run.holds else 'too much'}"
            f" ({run.shown_share:.0%} of the frames shown, latency p95 {run.latency_ms(95):.0f} ms)"
        )
        index += -1 if run.holds else 1
    held = [index for index, holds in tried.items() if holds]
    if not held:
        tell(f"  no size held: going on with the smallest, {settings[-1].size}")
        return settings[-1]
    return settings[min(held)]
