"""Time per stage of both programs on this machine, beside plain x265 in the same run.

    denc-bench speed [--sizes 848x480,1280x720] [--runtimes onnx,torch] [--json FILE] [--plot FILE]

Every stage runs alone, one frame after the other, with all cores to itself: the median of its wall
time and the mean of its CPU time (`benches.timing.stages`). Live, the stages of both programs
overlap. With --live both daemons also run as they are, for their memory and for the frame rate of
the streamer alone.

The JSON file, schema 2; ms are per frame, a {"median_ms", "cpu_ms"} each ("times"):

    {"schema": 2, "fps": 25.0, "threads": 2, "frames": 40, "source": "demo:",
     "load": 0.1,                            of the machine before, mean of a minute; null: unknown
     "missing": ["..."],                     runtimes that were left out, and why
     "targets": [{"name", "limit", "value", "met", "text"}, ...],
     "sizes": [{"size": "848x480", "scale": 2, "bitrate_bps": 132000,
                "times": {"engine": "lite",  that restored
                          "stages": {"capture", "carrier", "payload", "depayload", "decode", "sink",
                                     "guide" (a fit, once a second), "x265": times},
                          "networks": {"onnx": {"encode": times, "restore": {"1": times}}}},
                "memory": {"onnx": {"encode_mib", "restore_mib": {"1"}}},      peak; null: unknown
                "live": null | {"streamer_fps", "streamer_mib", "viewer_mib"}}, ...]}

`restore` is by batch, of one frame. Without a network ("plain") the runtime is called "none".
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from benches import BenchUsageError
from benches.timing.daemons import daemon_speed
from benches.timing.memory import network_memory
from benches.timing.plot import speed_plot
from benches.timing.result import SizeResult
from benches.timing.runtimes import RUNTIMES, open_runtimes
from benches.timing.stages import FPS, FRAMES, THREADS, WARM_UP, Setting, time_stages
from benches.timing.table import table
from benches.timing.targets import targets
from engines.codec import AUTO, engine_names
from engines.half import RuntimeMaker
from engines.latent import SCALES, SOURCE_MAX_HEIGHT, SOURCE_MAX_WIDTH, SOURCE_MIN
from streamer.sources.open import DEMO

SCHEMA = 2
SIZES = "480x272,640x360,848x480,1280x720"
BATCHES = "1,4"
BATCH_MAX = 16
LOAD_TOLD = 0.5  # of the machine before the run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `denc-bench speed` takes."""
    parser.add_argument("--sizes", default=SIZES, help="WxH,... (default: %(default)s)")
    parser.add_argument(
        "--engines", default=AUTO,
        help=f"of {', '.join(engine_names())}, separated by commas (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--runtimes", default=",".join(RUNTIMES),
        help="those that are not on this machine are left out (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--batches", default=BATCHES, help="frames restored at once (default: %(default)s)"
    )
    parser.add_argument("--scale", choices=(AUTO, *map(str, SCALES)), default=AUTO)
    parser.add_argument("--frames", type=int, default=FRAMES, help="default: %(default)s")
    parser.add_argument("--source", default=DEMO, help="a video file (default: the demo scene)")
    parser.add_argument(
        "--live", action="store_true", help="also run the daemons: memory, frames/s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw them")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, write; the exit code."""
    settings = list(_settings(arguments))
    makers, missing = open_runtimes(arguments.runtimes.split(","))
    for line in missing:
        print(line)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None and load > LOAD_TOLD:
        print(f"other programs keep this machine busy (load {load:.1f}): trust the ratios alone")
    results = _measured(settings, makers, live=arguments.live)
    reached = targets(results)
    print(table(results))
    print(f"capture is {arguments.source}, sink is --record; memory is of a network in a process of"
          " its own")  # fmt: skip
    for target in reached:
        print(target.text)
    if arguments.json:
        document = {
            "schema": SCHEMA,
            "fps": FPS,
            "threads": THREADS,
            "frames": arguments.frames,
            "source": arguments.source,
            "load": load,
            "missing": missing,
            "targets": [asdict(target) for target in reached],
            "sizes": [asdict(result) for result in results],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        speed_plot(results, arguments.plot)
    return 0


def _measured(
    settings: Sequence[Setting], makers: Mapping[str, RuntimeMaker], *, live: bool
) -> list[SizeResult]:
    results = []
    with tqdm(total=len(settings) * (WARM_UP + settings[0].frames), unit="frame") as bar:
        for setting in settings:
            bar.set_postfix_str(f"{setting.size} {setting.engine}")
            times = time_stages(setting, makers, bar.update)
            memory = {runtime: network_memory(setting, runtime) for runtime in times.networks}
            both = daemon_speed(setting) if live else None
            scale, bitrate = setting.first_scale, setting.bitrate_bps
            results.append(SizeResult(setting.size, scale, bitrate, times, memory, both))
    return results


def _settings(arguments: argparse.Namespace) -> Iterator[Setting]:
    batches = batches_of(arguments.batches)
    if arguments.frames < 1:
        raise BenchUsageError(f"--frames takes a number from 1, not {arguments.frames}")
    for size in arguments.sizes.split(","):
        width, height = size_of(size)
        for engine in arguments.engines.split(","):
            yield Setting(
                width,
                height,
                engine,
                None if arguments.scale == AUTO else int(arguments.scale),
                batches,
                max(arguments.frames, 2 * max(batches)),
                arguments.source,
            )


def size_of(text: str) -> tuple[int, int]:
    """Width and height of `WxH`. Raises BenchUsageError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BenchUsageError(f"--sizes takes WxH,WxH,..., not {text}")
    fits = SOURCE_MIN <= int(width) <= SOURCE_MAX_WIDTH
    if not (fits and SOURCE_MIN <= int(height) <= SOURCE_MAX_HEIGHT):
        raise BenchUsageError(
            f"--sizes takes {SOURCE_MIN}x{SOURCE_MIN} to {SOURCE_MAX_WIDTH}x{SOURCE_MAX_HEIGHT},"
            f" not {text}"
        )
    return int(width), int(height)


def batches_of(text: str) -> tuple[int, ...]:
    """Of `1,4`. Raises BenchUsageError."""
    return tuple(_batch(part) for part in text.split(","))


def _batch(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= BATCH_MAX):
        raise BenchUsageError(f"--batches takes numbers from 1 to {BATCH_MAX}, not {text}")
    return int(text)
