"""Several streams in one viewer, over real WebRTC on this machine."""

from __future__ import annotations

import asyncio
import csv
import json
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from live_player import Player, moving, site
from made_pictures import shown
from made_streams import coded
from sending import publish_to, send
from test_viewer_session import connect, free_port, pictures, viewer

from daemon.errors import UsageError
from link.access_unit import AccessUnit
from link.errors import Refused
from link.sender import MediaSender
from viewer.config import ViewerConfig
from viewer.pairing import Window

PICTURES = 60
TOKEN = "secret"


async def figures_of(port: int) -> dict[str, dict[str, object]]:
    url, headers = f"http://127.0.0.1:{port}/figures.json", {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
        return json.loads(await response.text())["streams"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as lines:
        return list(csv.DictReader(lines))


def broken(units: list[AccessUnit]) -> list[AccessUnit]:
    """Every picture but the first IRAP is garbage."""
    return [units[0], *(replace(u, data=u.data[:8] + b"\xa5" * 40) for u in units[1:])]


def mute(sender: MediaSender) -> None:
    """As if its power were gone: nothing of it reaches anybody any more."""
    for protocol in sender._transport._connection._protocols:
        protocol.transport.sendto = lambda *_: None


async def test_each_stream_is_restored_recorded_and_told_apart(tmp_path: Path) -> None:
    page, record, stream = free_port(), tmp_path / "r.mkv", tmp_path / "s.mkv"
    keys = {"record": record, "record_stream": stream, "latency_budget": 60_000}
    keys |= {"max_streams": 2, "web": f"127.0.0.1:{page}", "headless": False}
    async with viewer(TOKEN, **keys) as (port, _):
        first = await connect(port, TOKEN, stream="front")
        second = await connect(port, TOKEN, stream="back")
        with pytest.raises(Refused) as refused:
            await publish_to(port, token=TOKEN, stream="third")
        assert refused.value.status == 503
        await asyncio.gather(
            send(first, coded(PICTURES), interval_s=0.04),
            send(second, coded(PICTURES, width=256, height=144, scale=4), interval_s=0.04),
        )
        told = await figures_of(page)
        assert [told[n]["source_size"] for n in "01"] == ["192x112", "256x144"]
        assert [told[n]["frames_shown"] for n in "01"] == [PICTURES, PICTURES]
        assert [told[n]["peer"] for n in "01"] == ["127.0.0.1 front", "127.0.0.1 back"]
        await first.close()
        await second.close()
    for name in ("r", "s", "r-stream1", "s-stream1"):
        assert pictures(tmp_path / f"{name}.mkv") == PICTURES


async def test_a_stream_that_sends_garbage_or_hangs_costs_the_other_nothing(
    tmp_path: Path,
) -> None:
    log = tmp_path / "f.csv"
    keys = {"log_frames": log, "max_streams": 3, "latency_budget": 60_000}
    async with viewer(TOKEN, **keys) as (port, end):
        garbage = await connect(port, TOKEN, stream="garbage")
        good = await connect(port, TOKEN, stream="good")
        hanging = await connect(port, TOKEN, stream="hanging")
        await asyncio.gather(
            send(garbage, broken(coded(PICTURES)), interval_s=0.04),
            send(good, coded(PICTURES), interval_s=0.04),
            send(hanging, coded(3), interval_s=0.04),
        )
        assert not end.done()
        for sender in (garbage, good, hanging):
            await sender.close()
    good_log = rows(tmp_path / "f-stream1.csv")
    assert [int(row["frame_number"]) for row in good_log] == list(range(PICTURES))
    assert len(rows(tmp_path / "f-stream2.csv")) == 3


async def test_a_stream_that_comes_back_gets_its_place_again(tmp_path: Path) -> None:
    record, boxes = tmp_path / "r.mkv", [tmp_path / "a", tmp_path / "b"]
    sizes = {"left": (192, 112), "right": (256, 144)}
    async with viewer(record=record, max_streams=4, state=tmp_path / "v") as (port, _):
        box = {"state": boxes[0], "name": "car"}
        live = {name: await connect(port, stream=name, **box) for name in sizes}
        for _ in range(2):
            for name, (width, height) in sizes.items():
                await send(live[name], coded(10, width=width, height=height, scale=2))
                await live[name].close()
            live = {n: await publish_to(port, stream=n, **box) for n in reversed(sizes)}
        Window(tmp_path / "v" / "pairing").open(5)
        other = await publish_to(port, state=boxes[1], name="bike")
        await send(other, coded(10))
        for sender in (*live.values(), other):
            await sender.close()
    made = {path.name: pictures(path) for path in tmp_path.glob("*.mkv")}
    assert made == {"r.mkv": 20, "r-stream1.mkv": 20, "r-stream2.mkv": 10}


async def test_a_stream_that_died_unnoticed_is_taken_over_by_itself(tmp_path: Path) -> None:
    """Although another place is free."""
    log = tmp_path / "f.csv"
    async with viewer(TOKEN, log_frames=log, max_streams=2) as (port, _):
        dead = await connect(port, TOKEN, stream="front")
        await send(dead, coded(5))
        mute(dead)
        again = await publish_to(port, token=TOKEN, stream="front")
        await send(again, coded(20))
        await again.close()
        await dead.close()
    assert not (tmp_path / "f-stream1.csv").exists()
    assert len(rows(log)) == 25


async def test_the_page_shows_the_stream_that_is_asked_for() -> None:
    async with site(streams=2) as served, aiohttp.ClientSession() as http:
        served.show(shown(0), 0)
        served.show(shown(1, width=256, height=144), 1)
        async with http.get(f"{served.url}/api/streams") as response:
            assert [s["id"] for s in (await response.json())["streams"]] == ["0", "1"]
        for path in ("snapshot.png", "preview.jpg"):
            bodies = []
            for query in ("", "?stream=0", "?stream=1"):
                async with http.get(f"{served.url}/{path}{query}") as response:
                    assert response.status == 200
                    bodies.append(await response.read())
            assert bodies[0] == bodies[1] != bodies[2]
        for wrong in ("2", "-1", "x", "", "00", "999", "\u0661"):
            async with http.get(f"{served.url}/snapshot.png?stream={wrong}") as response:
                assert response.status == (200 if wrong == "00" else 404), wrong


async def test_players_of_different_streams_get_different_pictures() -> None:
    async with site(streams=2) as served:
        with moving(served), moving(served, width=256, height=144, stream=1):
            for stream, size in enumerate([(192, 112), (256, 144)]):
                player = Player()
                status, _, _ = await player.watch(served.url, stream=stream)
                assert status == 201
                picture = await asyncio.wait_for(player.track.recv(), 20)
                assert (picture.width, picture.height) == size
                await player.connection.close()


def test_publishing_several_streams_needs_a_url_each() -> None:
    keys = {"listen": "1", "max_streams": 2}
    with pytest.raises(UsageError, match=r"--max-streams needs \{stream\}"):
        ViewerConfig(**keys, publish="http://sfu/whip")  # type: ignore[arg-type]
    config = ViewerConfig(**keys, publish="http://sfu/{stream}/whip")  # type: ignore[arg-type]
    assert config.publish_url(1) == "http://sfu/1/whip"
    with pytest.raises(UsageError, match="--max-streams is for --listen"):
        ViewerConfig(input=__file__, max_streams=2)  # type: ignore[arg-type]
