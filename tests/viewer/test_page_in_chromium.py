"""The page in a real browser: what it shows, and that hands and keys reach everything."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from chromium import Tab, program, tab
from live_player import Site, moving, site
from made_pictures import shown
from made_streams import START_US
from test_web_api import switch

from engines.frame import planes_to_video_frame
from viewer.sinks import whep

pytestmark = pytest.mark.skipif(program() is None, reason="no Chromium here: apt install chromium")

WIDTH, HEIGHT, PICTURE = 320, 180, 7
FEEDS_S = 0.1
PIXELS = """(async () => {
  const media = document.getElementById(ID);
  const canvas = new OffscreenCanvas(SIZE);
  const context = canvas.getContext("2d");
  context.drawImage(media, 0, 0);
  const { data } = context.getImageData(0, 0, SIZE);
  let text = "";
  for (let at = 0; at < data.length; at += 8192) {
    text += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return btoa(text);
})()"""
Picture = npt.NDArray[np.float64]


async def pixels(page: Tab, media: str) -> Picture:
    """(HEIGHT, WIDTH, 3), as the browser shows them."""
    script = PIXELS.replace("ID", f"'{media}'").replace("SIZE", f"{WIDTH}, {HEIGHT}")
    data = base64.b64decode(await page.value(script))
    return np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3].astype(float)


def source() -> Picture:
    """The same from the picture itself: BT.709, limited range."""
    frame = planes_to_video_frame(shown(PICTURE, width=WIDTH, height=HEIGHT).frame.planes)
    rgb = frame.reformat(
        format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
    )
    return rgb.to_ndarray().astype(float)


@asynccontextmanager
async def opened(served: Site) -> AsyncIterator[Tab]:
    """The page, while one picture comes again and again."""

    async def feed() -> None:
        for number in range(10_000):
            at_us = START_US + number * 40_000
            picture = shown(PICTURE, width=WIDTH, height=HEIGHT, captured_us=at_us)
            await asyncio.to_thread(served.show, picture)
            await asyncio.sleep(FEEDS_S)

    task = asyncio.ensure_future(feed())
    try:
        async with tab(served.url) as page:
            await page.look(1280, 900, dark=False)
            yield page
            assert page.complaints == []
    finally:
        task.cancel()


async def test_a_frame_of_the_video_is_the_source_and_so_is_the_snapshot() -> None:
    async with site() as served, opened(served) as page:
        await page.until("document.getElementById('way').textContent === 'WebRTC'")
        await page.until("document.getElementById('video').videoWidth === 320")
        for _ in range(50):  # the first pictures of an encoder are its worst
            error = np.abs(await pixels(page, "video") - source())
            if error.mean() < 2:
                break
            await asyncio.sleep(0.2)
        assert error.mean() < 2
        assert np.percentile(error, 99) < 12
        assert await page.value("document.getElementById('restored').hasAttribute('src')") is False


async def test_without_webrtc_the_page_shows_jpegs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whep, "MAX_SESSIONS", 0)
    async with site() as served, opened(served) as page:
        await page.until("document.getElementById('restored').naturalWidth === 320")
        assert await page.value("document.getElementById('way').textContent") == "JPEG"
        assert await page.value("document.getElementById('video').hidden")
        assert np.abs(await pixels(page, "restored") - source()).mean() < 4
        assert all("503" in complaint for complaint in page.complaints)
        page.complaints.clear()


async def test_the_divider_follows_keys_and_hand() -> None:
    now = "document.getElementById('divider').getAttribute('aria-valuenow')"
    async with site() as served, opened(served) as page:
        await page.until("document.getElementById('way').textContent === 'WebRTC'")
        await page.value("document.getElementById('compare').focus()")
        await page.press("Enter", 13)
        await page.until("document.activeElement.id === 'divider'")
        assert await page.value(now) == "50"
        for key, at in (("ArrowLeft", "48"), ("PageUp", "58"), ("Home", "0"), ("End", "100")):
            await page.press(key)
            assert await page.value(now) == at
        x, y, width = await page.value(
            "(() => { const b = document.getElementById('screen').getBoundingClientRect();"
            " return [b.x, b.y + b.height / 2, b.width]; })()"
        )
        left = await page.value("document.getElementById('divider').getBoundingClientRect().x + 16")
        await page.mouse("mousePressed", left - 4, y)
        await page.mouse("mouseMoved", x + width / 4, y)
        await page.mouse("mouseReleased", x + width / 4, y)
        assert abs(int(await page.value(now)) - 25) <= 1
        clip = await page.value("document.getElementById('under').style.clipPath")
        assert clip.startswith("inset(0px 7")
        await page.until("document.getElementById('under').naturalWidth === 160")
        await page.value("document.getElementById('compare').click()")
        assert await page.value("document.getElementById('divider').hidden")


async def test_fidelity_and_recording_are_changed_by_keyboard_alone(tmp_path: Path) -> None:
    async with site(recording=switch(tmp_path)) as served, opened(served) as page:
        await page.until("document.getElementById('state').dataset.state === 'live'")
        seen = []
        for _ in range(8):
            await page.press("Tab", 9)
            seen.append(
                await page.value("document.activeElement.id || document.activeElement.tagName")
            )
            if seen[-1] == "record":
                await page.press("Enter", 13)
                await page.until("document.getElementById('record').ariaPressed === 'true'")
            elif seen[-1] == "fidelity":
                await page.press("ArrowRight", 39)
                await page.until("document.getElementById('fidelity-now').textContent === '0.55'")
        assert [
            name for name in seen if name in ("record", "snapshot", "compare", "fidelity", "full")
        ] == ["record", "snapshot", "compare", "fidelity", "full"]
        assert served.recording.is_on
        for _ in range(50):
            if served.restorers.fidelity == 0.55:
                break
            await asyncio.sleep(0.1)
        assert served.restorers.fidelity == 0.55
        await page.value("document.getElementById('record').click()")
        await page.until("document.getElementById('record').ariaPressed === 'false'")
        assert not served.recording.is_on
    assert [path.name for path in tmp_path.iterdir()] == ["seen.mkv"]


async def test_a_refusal_is_told_on_the_page() -> None:
    async with site() as served, tab(served.url) as page:
        await page.until("document.getElementById('streams').children.length === 1")
        await page.value("document.getElementById('record').click()")
        await page.until("document.getElementById('message').textContent.includes('--recordings')")


async def test_everything_that_takes_the_focus_has_a_name_and_fits_a_phone() -> None:
    names = """[...document.querySelectorAll("a, button, input, [tabindex]")].map((e) =>
        (e.ariaLabel || e.textContent || (e.labels && e.labels[0].textContent) || "").trim())"""
    async with site() as served, opened(served) as page:
        await page.until("document.getElementById('streams').children.length === 1")
        assert all(await page.value(names))
        await page.look(360, 740, dark=True, phone=True)
        assert await page.value("document.documentElement.scrollWidth") <= 360
        cut = """[...document.querySelectorAll("main *")]
            .filter((e) => e.getBoundingClientRect().right > 361).map((e) => e.id || e.className)"""
        assert await page.value(cut) == []
        small = """[...document.querySelectorAll(".controls .button, nav .button")]
            .filter((e) => e.getBoundingClientRect().height < 36).length"""
        assert await page.value(small) == 0
        ground = await page.value("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(13, 19, 25)"


async def test_another_stream_is_chosen_by_keyboard_and_everything_follows() -> None:
    async with site(streams=3) as served, opened(served) as page:
        served.channels[1].figures.set("source_size", "256x144")
        served.channels[1].figures.set("peer", "car back")
        with moving(served, width=256, height=144, stream=1):
            await page.until("document.querySelectorAll('#streams button').length === 3")
            await page.until("document.getElementById('video').videoWidth === 320")
            await page.until("document.querySelectorAll('#streams img')[1].naturalWidth === 128")
            await page.value("document.querySelectorAll('#streams button')[1].focus()")
            await page.press("Enter", 13)
            await page.until("location.hash === '#stream=1'")
            await page.until("document.getElementById('video').videoWidth === 256")
            await page.until("document.getElementById('preview').naturalWidth === 128")
            pressed = "[...document.querySelectorAll('#streams button')].map((b) => b.ariaPressed)"
            assert await page.value(pressed) == ["false", "true", "false"]
            size = "document.querySelector('[data-figure=source_size]').textContent"
            await page.until(f"{size} === '256 × 144'")
            snapshot = await page.value("document.getElementById('snapshot').getAttribute('href')")
            assert snapshot == "/snapshot.png?stream=1"
