"""The whole viewer, watched: a stream that comes in is played, published and recorded."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
from live_player import Player
from made_streams import coded
from sending import send
from test_publish import stock_server
from test_viewer_session import connect, free_port, pictures, viewer
from test_web_api import send as ask


async def test_a_live_stream_is_played_published_recorded_and_told(tmp_path: Path) -> None:
    port = free_port()
    keys = {"web": f"127.0.0.1:{port}", "recordings": tmp_path, "headless": False}
    url = f"http://127.0.0.1:{port}"
    async with stock_server() as server, viewer(publish=server.url, **keys) as (whip, _):
        sender = await connect(whip)
        sending = asyncio.ensure_future(send(sender, coded(120), interval_s=0.05))
        player = Player()
        status, _, location = await player.watch(url)
        assert status == 201
        assert (await ask("PUT", f"{url}/api/recording", {"recording": True}))[0] == 200
        published = await asyncio.wait_for(server.tracks.get(), 20)
        for track in (player.track, published):
            picture = await asyncio.wait_for(track.recv(), 20)
            assert (picture.width, picture.height) == (192, 112)
        assert (await ask("PUT", f"{url}/api/fidelity", {"fidelity": 0.25}))[0] == 200
        await sending
        _, recorded = await ask("PUT", f"{url}/api/recording", {"recording": False})
        assert recorded == {"available": True, "file": None, "recording": False}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{url}/figures.json") as response:
                figures = json.loads(await response.text())
            async with http.delete(url + location) as response:
                assert response.status == 200
        assert (figures["publishing"], figures["watchers"]) == ("publishing", 2)
        assert figures["fidelity"] == 0.25
        await player.connection.close()
        await sender.close()
    assert server.deletes == 1
    [file] = tmp_path.iterdir()
    assert file.name.startswith("denc-")
    assert pictures(file) > 10
