"""The demo: `make demo`, or `python -m benches.demo [--source clip.mp4]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benches import BenchError
from benches.demo import report, sizes
from benches.demo.anchor import x265_at, x265_live
from benches.demo.live import LiveRun, Setting, run_live
from benches.demo.replay import preview_of, restored_by_number, scales_of
from benches.demo.source import frames, planes_by_number, size_and_fps
from engines.errors import EngineError
from engines.evaluation.measures import measure
from streamer.sources.open import DEMO

DURATION_S = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.demo",
        description="denc-stream and denc-view live on this machine, measured beside x265",
    )
    parser.add_argument("--source", default=DEMO, help="a video file (default: the built-in scene)")
    parser.add_argument("--size", help="WxH, instead of the largest that holds in real time")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder (default: demo)")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    try:
        _demo(arguments.source, arguments.size, arguments.out)
    except (BenchError, EngineError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\npicture: {arguments.out}/comparison.png   figures: {arguments.out}/results.json")
    print(f"({time.monotonic() - started:.0f} s in all)")
    return 0


def _demo(source: str, size: str | None, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    setting, said = _setting(source, size, out)
    print(f"streaming {source} at {setting.size} for {DURATION_S:g} s over WebRTC ...")
    run = run_live(setting, DURATION_S, out)
    if not run.holds:
        said += f"; in the long run it did not quite hold ({run.shown_share:.0%} shown)"
    print("restoring the recorded stream again, and coding the same frames with x265 ...")
    result, pictures = _compare(run, said)
    report.write_results(result, out / "results.json")
    report.comparison(pictures, result, out / "comparison.png")
    print("\n" + report.table(result))


def _setting(source: str, size: str | None, out: Path) -> tuple[Setting, str]:
    """What to stream, and how it was chosen, in words."""
    own, fps = size_and_fps(source)
    candidates = sizes.sizes_for(own) if size is None else [_parsed(size)]
    middle = candidates[len(candidates) // 2]
    some = list(islice(frames(Setting(source, *middle, fps, 0)), sizes.ESTIMATE_FRAMES))
    settings = [sizes.setting_for(source, wanted, fps) for wanted in candidates]
    if size is not None:
        return settings[0], "the size asked for"
    print("looking for the largest size that both ends hold in real time on this machine ...")
    start = sizes.estimate(candidates, fps, sizes.cpu_s_per_pixel(some))
    found = sizes.find_largest(settings, start, out)
    listed = ", ".join(setting.size for setting in settings)
    return found, f"the largest of {listed} that this machine held"


def _parsed(size: str) -> tuple[int, int]:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BenchError(f"--size takes WxH, not {size}")
    return int(width), int(height)


def _compare(run: LiveRun, said: str) -> tuple[report.Result, report.Pictures]:
    setting = run.setting
    restored = restored_by_number(run.stream_file, (setting.width, setting.height))
    sources = planes_by_number(setting, restored.keys())
    numbers = sorted(sources)
    if not numbers:
        raise BenchError("none of the frames could be compared with the source")
    source = [sources[number] for number in numbers]
    denc = [restored[number] for number in numbers]
    bits = round(run.bits * len(numbers) / run.received)
    anchor, live = x265_at(bits, source, setting.fps), x265_live(bits, source, setting.fps)
    result = report.Result(
        run=run,
        said=said,
        engine=" and ".join(sorted({frame.engine for frame in run.shown})),
        denc=measure(denc, source),
        x265=measure(anchor.pictures, source),
        x265_bits=anchor.bits,
        x265_live=measure(live.pictures, source),
        x265_live_bits=live.bits,
        compared=len(numbers),
        scales=scales_of(run.stream_file),
    )
    index = report.typical_frame(source, denc, anchor.pictures)
    unit = sorted(restored).index(numbers[index])
    pictures = report.Pictures(
        source[index], preview_of(run.stream_file, unit), anchor.pictures[index], denc[index]
    )
    return result, pictures


if __name__ == "__main__":
    sys.exit(main())
