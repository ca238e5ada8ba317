"""HTTP requests to the page and the figures."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from daemon.figures import Figures
from tests.fuzz.loop import event_loop
from tests.fuzz.on.http import ask, serving
from tests.fuzz.on.signalling import TOKEN
from tests.fuzz.target import Form, Run, Target
from viewer.sinks.web import WebPage


@contextmanager
def _page() -> Iterator[Run]:
    with event_loop() as loop:

        async def started() -> tuple[WebPage, AbstractAsyncContextManager[Path], Path]:
            page = WebPage(Figures(), TOKEN, prefix="denc_view")
            served = serving(page._app)
            return page, served, await served.__aenter__()

        page, served, path = loop.run(started())

        def run(data: bytes) -> None:
            loop.run(ask(path, data))

        yield run
        loop.run(page.stop())
        loop.run(served.__aexit__(None, None, None))


TARGETS = (Target("page", _page, (), 1_000, Form.TEXT),)
