"""The sinks that people watch or pipe elsewhere, opened, and what of them ends the viewer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import RunError, UsageError
from daemon.figures import Figures
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.restorers import Restorers
from viewer.sinks.pipe import Pipe
from viewer.sinks.sink import Sink
from viewer.sinks.v4l2 import V4l2
from viewer.sinks.y4m import Y4m

if TYPE_CHECKING:
    from viewer.sinks.window import Window

READER_GRACE_S = 2.0  # that a reader of stdout has to take the rest, once the viewer is to end

Outputs = list[Sink[Shown]]


@asynccontextmanager
async def outputs(
    config: ViewerConfig, streams: Sequence[Figures], restorers: Restorers, stop: asyncio.Event
) -> AsyncIterator[list[Outputs]]:
    """The sinks that the configuration asks for, of each stream whose figures are given: a window
    shows any of them, what can carry only one the first. What they cause to end, they end by
    `stop`.

    Raises UsageError for one that cannot be opened, with what to do about it, and RunError at the
    end for one that broke while nothing else showed the pictures.
    """
    loop = asyncio.get_running_loop()
    every: Outputs = []  # for every stream
    first: Outputs = []
    broken: list[BaseException] = []

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    with ExitStack() as opened:
        if config.stdout is not None:
            pipe = opened.enter_context(_stdout())
            letting_go = asyncio.ensure_future(_let_go(pipe, stop))
            opened.callback(letting_go.cancel)

            def reader_has_left() -> None:
                if not config.is_seen_without("stdout"):
                    end()

            first.append(Y4m(pipe, reader_has_left))
        if config.window:

            def window_broke(error: BaseException) -> None:
                if not config.is_seen_without("window"):
                    broken.append(error)
                    end()

            window = await asyncio.to_thread(_window, streams, restorers, end, window_broke)
            opened.callback(window.close)
            every.append(window)
        if config.v4l2 is not None:
            camera = V4l2(config.v4l2)
            opened.callback(camera.close)
            first.append(camera)
        yield [every + (first if number == 0 else []) for number in range(len(streams))]
    if broken:
        raise RunError(f"the window broke: {broken[0]}")


def _window(
    streams: Sequence[Figures],
    restorers: Restorers,
    end: Callable[[], None],
    broke: Callable[[BaseException], None],
) -> Window:
    try:
        from viewer.sinks.window import Window
    except ImportError as error:
        raise UsageError(
            f"--window needs SDL, which is not installed here ({error}): pip install "
            "'denc[window]', or watch the page with --web 8890"
        ) from error
    return Window(streams, restorers, end, broke, Path.cwd())


@contextmanager
def _stdout() -> Iterator[Pipe]:
    """The pipe behind stdout; whatever else in this process prints goes to stderr meanwhile."""
    if sys.stdout is None or sys.stdout.isatty():
        raise UsageError(
            "--stdout y4m is raw video for a program, not for a terminal: pipe it, such as\n"
            "  denc-view --listen --stdout y4m | ffmpeg -i - out.mp4"
        )
    descriptor = sys.stdout.fileno()
    sys.stdout.flush()
    pipe, kept = Pipe(descriptor), os.dup(descriptor)
    os.dup2(sys.stderr.fileno(), descriptor)
    try:
        yield pipe
    finally:
        pipe.close()
        os.dup2(kept, descriptor)
        os.close(kept)


async def _let_go(pipe: Pipe, stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(READER_GRACE_S)
    pipe.let_go()
