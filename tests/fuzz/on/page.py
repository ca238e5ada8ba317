"""HTTP requests to the page and the figures."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from daemon.figures import Figures
from tests.fuzz.loop import event_loop
from tests.fuzz.on.http import ask, serving
from tests.fuzz.on.signalling import TOKEN
from tests.fuzz.target import Form, Run, Target
from viewer.restorers import Restorers
from viewer.sinks.channel import Channel
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.record_switch import RecordSwitch
from viewer.sinks.web import WebPage
from viewer.sinks.web_api import WebApi
from viewer.sinks.whep import Whep


@contextmanager
def _page() -> Iterator[Run]:
    with event_loop() as loop:

        async def started() -> tuple[WebPage, AbstractAsyncContextManager[Path], Path]:
            figures = Figures()
            channels = [Channel(Figures(), RecordSwitch(None), LiveVideo(figures)) for _ in "01"]
            api = WebApi(channels, figures, Restorers("plain", threads=1))
            routes = [*api.routes, *Whep(channels, ()).routes]
            page = WebPage(channels, figures, TOKEN, prefix="denc_view", more=routes)
            served = serving(page._app)
            return page, served, await served.__aenter__()

        page, served, path = loop.run(started())

        def run(data: bytes) -> None:
            loop.run(ask(path, data))

        yield run
        loop.run(page.stop())
        loop.run(served.__aexit__(None, None, None))


TARGETS = (Target("page", _page, (), 1_000, Form.TEXT),)
