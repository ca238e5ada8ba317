"""The HTTP API of the page: what it does, and who may not."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import av
import pytest
from live_player import site
from made_pictures import decoded, shown

from daemon.figures import Figures
from link.clock import monotonic_us
from viewer.address import Address
from viewer.config import ViewerConfig
from viewer.pace import Pace
from viewer.sinks.record import Record
from viewer.sinks.record_switch import RecordSwitch


async def send(
    method: str, url: str, value: object = None, **headers: str
) -> tuple[int, dict[str, object] | str]:
    data = value if isinstance(value, str) else json.dumps(value)
    headers = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, data=data, headers=headers) as response,
    ):
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else await response.text()


def switch(folder: Path) -> RecordSwitch:
    def make() -> Record:
        return Record(folder / "seen.mkv", "high", Figures(), monotonic_us, persists=True)

    return RecordSwitch(make)


async def test_fidelity_is_read_and_changed_while_running() -> None:
    async with site() as served:
        url = f"{served.url}/api/fidelity"
        assert await send("GET", url) == (200, {"fidelity": 0.5})
        assert await send("PUT", url, {"fidelity": 1}) == (200, {"fidelity": 1.0})
        assert served.restorers.fidelity == 1.0
        restorer, _ = served.restorers.for_picture(decoded(0), Pace())
        assert restorer.fidelity == 1.0


@pytest.mark.parametrize(
    "body",
    ["", "no", "[]", "{}", "0.5", '{"fidelity": true}', '{"fidelity": "1"}', '{"fidelity": null}',
     '{"fidelity": 1.01}', '{"fidelity": -1}', '{"fidelity": NaN}', '{"fidelity": 1e999}',
     '{"fidelity": 1, "x": 1}', "[" * 60_000, '{"fidelity": ' + "9" * 60_000 + "}"],
)  # fmt: skip
async def test_a_fidelity_that_makes_no_sense_changes_nothing(body: str) -> None:
    async with site() as served:
        status, text = await send("PUT", f"{served.url}/api/fidelity", body)
        assert (status, isinstance(text, str)) == (400, True)
        assert served.restorers.fidelity == 0.5


async def test_recording_starts_and_stops_and_each_start_is_a_new_file(tmp_path: Path) -> None:
    async with site(recording=switch(tmp_path)) as served:
        url = f"{served.url}/api/recording"
        off = {"available": True, "file": None, "recording": False}
        assert await send("GET", url) == (200, off)
        for name in ("seen.mkv", "seen-1.mkv"):
            served.show(shown(0))  # before the start: not recorded
            on = (200, {"available": True, "file": name, "recording": True})
            assert await send("PUT", url, {"recording": True}) == on
            assert await send("PUT", url, {"recording": True}) == on
            for number in range(3):
                served.show(shown(number))
            assert await send("PUT", url, {"recording": False}) == (200, off)
    for name in ("seen.mkv", "seen-1.mkv"):
        with av.open(str(tmp_path / name)) as container:
            assert len(list(container.decode(video=0))) == 3


async def test_recording_without_a_place_says_how_to_get_one(tmp_path: Path) -> None:
    async with site() as served:
        status, text = await send("PUT", f"{served.url}/api/recording", {"recording": True})
        assert (status, "--recordings FOLDER" in str(text)) == (409, True)
    async with site(recording=switch(tmp_path / "none")) as served:
        status, text = await send("PUT", f"{served.url}/api/recording", {"recording": True})
        assert (status, "seen.mkv" in str(text)) == (409, True)
        assert not served.recording.is_on


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 415),  # what a form of another page can send
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 421),
    ],
)
async def test_another_page_changes_nothing(headers: dict[str, str], status: int) -> None:
    async with site() as served:
        got, _ = await send("PUT", f"{served.url}/api/fidelity", {"fidelity": 0.75}, **headers)
        assert got == status
        assert served.restorers.fidelity == (0.75 if status == 200 else 0.5)


async def test_no_other_origin_is_allowed_to_ask() -> None:
    async with site() as served, aiohttp.ClientSession() as http:
        asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
        async with http.options(f"{served.url}/api/fidelity", headers=asks) as response:
            assert response.status == 405
            assert not any(name.startswith("Access-Control") for name in response.headers)
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]


async def test_the_token_is_needed_for_all_of_it() -> None:
    async with site("secret") as served:
        for method, path in (
            ("GET", "/api/fidelity"), ("PUT", "/api/fidelity"), ("PUT", "/api/recording"),
            ("GET", "/api/streams"), ("POST", "/whep"), ("DELETE", "/whep/x"),
            ("GET", "/openapi.json"),
        ):  # fmt: skip
            assert (await send(method, served.url + path))[0] == 401
        bearer = {"Authorization": "Bearer secret"}
        assert (await send("GET", f"{served.url}/api/streams", **bearer))[0] == 200


async def test_the_streams_tell_what_is_received() -> None:
    async with site() as served:
        served.figures.set("source_size", "1280x720")
        served.figures.set("scale", 2)
        served.figures.set("secret_figure", 1)
        status, body = await send("GET", f"{served.url}/api/streams")
    stream = {"id": "0", "state": "receiving", "source_size": "1280x720", "scale": 2}
    assert (status, body) == (200, {"streams": [stream]})


def test_the_record_button_writes_where_no_stranger_can_press_it(tmp_path: Path) -> None:
    def folder(**keys: object) -> Path | None:
        return ViewerConfig(input=tmp_path, **keys).recordings_folder  # type: ignore[arg-type]

    assert folder() == Path()
    assert folder(web=Address("0.0.0.0", 1)) is None
    assert folder(web=Address("0.0.0.0", 1), token="t") == Path()
    assert folder(web=Address("0.0.0.0", 1), recordings=tmp_path) == tmp_path
    assert folder(headless=True, record=tmp_path / "x.mkv") is None
