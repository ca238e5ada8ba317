"""The sinks that people watch or pipe elsewhere, opened: stdout, and what ends the viewer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from daemon.errors import UsageError
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.sinks.pipe import Pipe
from viewer.sinks.sink import Sink
from viewer.sinks.y4m import Y4m

READER_GRACE_S = 2.0  # that a reader of stdout has to take the rest, once the viewer is to end

Outputs = list[Sink[Shown]]


@asynccontextmanager
async def outputs(config: ViewerConfig, stop: asyncio.Event) -> AsyncIterator[Outputs]:
    """The sinks that the configuration asks for; what they cause to end, they end by `stop`.

    Raises UsageError for one that cannot be opened, with what to do about it.
    """
    loop = asyncio.get_running_loop()
    sinks: Outputs = []
    with ExitStack() as opened:
        if config.stdout is not None:
            pipe = opened.enter_context(_stdout())
            letting_go = asyncio.ensure_future(_let_go(pipe, stop))
            opened.callback(letting_go.cancel)

            def reader_has_left() -> None:
                if not config.is_seen_elsewhere:
                    loop.call_soon_threadsafe(stop.set)

            sinks.append(Y4m(pipe, reader_has_left))
        yield sinks


@contextmanager
def _stdout() -> Iterator[Pipe]:
    """The pipe behind stdout; whatever else in this process prints goes to stderr meanwhile."""
    if sys.stdout.isatty():
        raise UsageError(
            "--stdout y4m is raw video, not for a terminal: pipe it, such as\n"
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
