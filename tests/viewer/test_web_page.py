"""The page: pictures, figures and snapshots over HTTP."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import av
import numpy as np
import numpy.typing as npt
import pytest
from live_player import site
from made_pictures import shown

from daemon.errors import UsageError
from daemon.figures import Figures
from link.listener import ConnectionLimits
from viewer.address import Address
from viewer.sinks import still, web
from viewer.sinks.channel import Channel
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.record_switch import RecordSwitch
from viewer.sinks.web import PAGE, WebPage

LOCAL = Address("127.0.0.1", 0)


async def get(url: str, **options: object) -> tuple[int, str, bytes]:
    async with aiohttp.ClientSession() as http, http.get(url, **options) as response:  # type: ignore[arg-type]
        return response.status, response.content_type, await response.read()


def luma(image: bytes, format_: str) -> npt.NDArray[np.float64]:
    with av.open(io.BytesIO(image), format=format_) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    return picture.astype(float)


def full_range(y: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return (y.astype(float) - 16) * 255 / 219


async def next_part(stream: aiohttp.StreamReader) -> bytes:
    head = await stream.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
    return (await stream.readexactly(length + 2))[:-2]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page/page.css", "text/css"),
        ("/page/page.js", "javascript"),
        ("/page/icon.svg", "image/svg"),
        ("/figures.json", "application/json"),
        ("/metrics", "text/plain"),
    ],
)
async def test_the_page_and_its_parts_are_served(path: str, kind: str) -> None:
    async with site() as served:
        status, content_type, body = await get(served.url + path)
    assert (status, bool(body)) == (200, True)
    assert kind in content_type


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in PAGE.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text), path.name


def test_every_figure_on_the_page_is_one_the_viewer_tells() -> None:
    told = "".join(path.read_text() for path in Path(PAGE.parent).rglob("*.py"))
    names = re.findall(r'data-(?:figure|plot)="(\w+)"', (PAGE / "index.html").read_text())
    assert len(names) > 8
    assert [name for name in names if f'"{name}"' not in told] == []


@pytest.mark.parametrize("path", ["/restored.mjpeg", "/preview.mjpeg"])
async def test_moving_pictures_are_the_pictures_shown(path: str) -> None:
    async with site() as served, aiohttp.ClientSession() as http:
        await asyncio.to_thread(served.show, shown(0))
        async with http.get(served.url + path) as response:
            assert response.content_type == "multipart/x-mixed-replace"
            for number in range(3):
                picture = shown(number)
                if number:
                    await asyncio.to_thread(served.show, picture)
                jpeg = await asyncio.wait_for(next_part(response.content), 5)
                planes = picture.frame.planes
                if "preview" in path:
                    planes = picture.decoded.latent.planes
                error = luma(jpeg, "mjpeg") - full_range(planes.y)
                assert np.abs(error).mean() < 2


async def test_colours_survive_the_way_to_the_browser() -> None:
    """BT.709 limited range, as the pipeline has it, to a JPEG's BT.601 full range."""
    picture = shown(0)
    y, u, v = picture.frame.planes.channels
    y[:], u[:], v[:] = 81, 91, 220  # a strong red
    jpeg = still.JpegEncoder().encode(picture.frame.planes)
    png = still.encode_png(picture.frame.planes)
    colours = []
    for image, format_ in ((jpeg, "mjpeg"), (png, "png_pipe")):
        with av.open(io.BytesIO(image), format=format_) as container:
            decoded = next(container.decode(video=0))
            colours.append(decoded.to_ndarray(format="rgb24")[50, 50].astype(int))
    assert np.abs(colours[0] - colours[1]).max() <= 4
    assert colours[1][0] > 200
    assert colours[1][1] < 40


async def test_nothing_is_encoded_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    real = still.JpegEncoder.encode
    monkeypatch.setattr(
        still.JpegEncoder, "encode", lambda self, planes: encoded.append(1) or real(self, planes)
    )
    async with site() as served:
        for number in range(5):
            await asyncio.to_thread(served.show, shown(number))
    assert encoded == []


async def test_each_picture_is_encoded_once_for_all_browsers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded = []
    real = still.JpegEncoder.encode
    monkeypatch.setattr(
        still.JpegEncoder, "encode", lambda self, planes: encoded.append(1) or real(self, planes)
    )
    async with site() as served, aiohttp.ClientSession() as http:
        await asyncio.to_thread(served.show, shown(0))
        browsers = [await http.get(f"{served.url}/restored.mjpeg") for _ in range(4)]
        for _ in range(2):
            parts = await asyncio.gather(*(next_part(browser.content) for browser in browsers))
            assert len(set(parts)) == 1
            await asyncio.to_thread(served.show, shown(7))
        for browser in browsers:
            browser.close()
    assert len(encoded) <= 3


async def test_a_browser_that_does_not_read_holds_nobody_up() -> None:
    async with site() as served, aiohttp.ClientSession() as http:
        async with http.get(f"{served.url}/restored.mjpeg"):
            done = threading.Event()

            def show_many() -> None:
                for number in range(60):
                    served.show(shown(number, width=640, height=360))
                done.set()

            await asyncio.wait_for(asyncio.to_thread(show_many), 20)
        assert done.is_set()
        assert (await get(f"{served.url}/figures.json"))[0] == 200


async def test_a_snapshot_is_the_newest_picture() -> None:
    async with site() as served:
        assert (await get(f"{served.url}/snapshot.png"))[0] == 404
        for number in range(2):
            served.show(shown(number))
        _, content_type, png = await get(f"{served.url}/snapshot.png")
    assert content_type == "image/png"
    assert np.abs(luma(png, "png_pipe") - full_range(shown(1).frame.planes.y)).mean() < 2


async def test_a_size_that_changes_is_followed() -> None:
    async with (
        site() as served,
        aiohttp.ClientSession() as http,
        http.get(f"{served.url}/restored.mjpeg") as response,
    ):
        for width in (192, 321, 64):
            await asyncio.sleep(0.05)
            await asyncio.to_thread(served.show, shown(0, width=width, height=113))
            jpeg = await asyncio.wait_for(next_part(response.content), 5)
            assert luma(jpeg, "mjpeg").shape == (113, width)


async def test_with_a_token_nobody_sees_anything_without_it() -> None:
    async with site("secret") as served:
        for path in ("/", "/figures.json", "/restored.mjpeg", "/snapshot.png", "/page/page.js"):
            assert (await get(served.url + path))[0] == 401
        assert (await get(served.url + "/?token=wrong"))[0] == 401
        bearer = {"Authorization": "Bearer secret"}
        assert (await get(served.url + "/figures.json", headers=bearer))[0] == 200


async def test_the_token_in_the_link_opens_the_page_and_what_it_loads() -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with site("secret") as served, aiohttp.ClientSession(cookie_jar=jar) as http:
        async with http.get(f"{served.url}/?token=secret") as response:
            assert (response.status, response.url.query_string) == (200, "")
        async with http.get(f"{served.url}/page/page.js") as response:
            assert response.status == 200


async def test_a_port_that_is_taken_is_named() -> None:
    async with site() as served:
        port = int(served.url.rpartition(":")[2])
        other = WebPage([], Figures(), None, prefix="denc_view")
        with pytest.raises(UsageError, match=f"{port}.*--web"):
            await other.start(Address("127.0.0.1", port))


@asynccontextmanager
async def watched(
    connections: ConnectionLimits,
) -> AsyncIterator[tuple[int, Callable[[], Awaitable[bytes]]]]:
    """The port of a page of these limits, and the next picture of a browser that looks on."""
    figures = Figures()
    channel = Channel(figures, RecordSwitch(None), LiveVideo(figures))
    page = WebPage([channel], figures, None, prefix="denc_view", connections=connections)
    url = await page.start(LOCAL)
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{url}restored.mjpeg") as response,
        ):

            async def picture() -> bytes:
                await asyncio.to_thread(channel.feeds.show, shown(0))
                return await asyncio.wait_for(next_part(response.content), 5)

            yield int(url.rpartition(":")[2].strip("/")), picture
    finally:
        await page.stop()


async def ended(reader: asyncio.StreamReader, within_s: float) -> bool:
    """Whether the page closes a connection, whatever it says before."""
    try:
        await asyncio.wait_for(reader.read(), within_s)
    except ConnectionError:
        return True
    except asyncio.TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET /none HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
async def test_a_connection_that_asks_for_nothing_ends_and_who_looks_on_goes_on_looking(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "KEEP_ALIVE_S", 0.3)
    async with watched(replace(web.CONNECTIONS, request_s=0.3)) as (port, picture):
        await picture()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await ended(reader, 3)
        writer.close()
        await picture()


async def test_one_host_cannot_take_every_connection_nor_those_that_are_in_use() -> None:
    async with watched(web.CONNECTIONS) as (port, picture):
        flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        refused = await asyncio.gather(*(ended(reader, 1) for reader, _ in flood))
        assert refused.count(False) == web.CONNECTIONS.each - 1
        await picture()
        other, asks = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        asks.write(b"GET /figures.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await asyncio.wait_for(other.readline(), 5)).split()[1] == b"200"
        for writer in (asks, *(writer for _, writer in flood)):
            writer.close()


async def test_headers_and_names_of_any_bytes_are_refused_without_an_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with site("secret") as served:
        address = served.url.rpartition("/")[2].partition(":")
        for path, header, status in (
            ("/", "Authorization: Bearer \xff", b"401"),
            ("/", "Cookie: denc-token=\xff", b"401"),
            ("/page/" + "x" * 5000, "Authorization: Bearer secret", b"404"),
            ("/page/%00", "Authorization: Bearer secret", b"404"),
            ("/page/..%2fapp.py", "Authorization: Bearer secret", b"404"),
        ):
            reader, writer = await asyncio.open_connection(address[0], int(address[2]))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: v\r\n{header}\r\n\r\n".encode("latin-1"))
            assert (await reader.readline()).split()[1] == status
            writer.close()
            await writer.wait_closed()
    assert [record for record in caplog.records if record.exc_info] == []
