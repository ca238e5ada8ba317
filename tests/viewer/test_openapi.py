"""The API against its description: schemathesis tries what a person would not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from live_player import Site, site
from test_web_api import switch

from link import bearer
from viewer.sinks.web_api import DESCRIPTION

schemathesis_hooks = pytest.importorskip("schemathesis_hooks", exc_type=ImportError)
ENDLESS = r"\.mjpeg$"
CASES_MIN = 50
EXAMPLES = 5  # of each operation, beside those that its coverage phase finds
MAX_TIME_S, LIMIT_S = 45, 150  # its own budget; and until it is ended
SETTINGS = """
[[operations]]
include-path = "/whep"
checks.positive_data_acceptance.enabled = false  # no text that it makes up is an offer
"""


@asynccontextmanager
async def tried(folder: Path, token: str | None, *options: str) -> AsyncIterator[Site]:
    """A site on which schemathesis has found nothing wrong."""
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    hooks = Path(schemathesis_hooks.__file__)
    async with site(token, recording=switch(folder)) as served:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "schemathesis.cli",
            "--config-file", str(settings), "run", str(DESCRIPTION), "--url", served.url,
            "--exclude-path-regex", ENDLESS, "--max-examples", str(EXAMPLES),
            "--generation-deterministic",
            "--max-time", str(MAX_TIME_S), *options,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": hooks.stem, "PYTHONPATH": str(hooks.parent)},
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(program.communicate(), LIMIT_S)
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
        assert program.returncode == 0, out.decode()[-6000:]
        counted = re.search(r"(\d+) generated, (\d+) passed", out.decode())
        assert counted is not None
        assert counted[1] == counted[2]
        assert int(counted[1]) > CASES_MIN
        yield served


async def test_the_api_is_as_it_is_described(tmp_path: Path) -> None:
    async with tried(tmp_path, None) as served:
        assert not served.whep._sessions  # nothing random is an offer


async def test_with_a_token_nothing_is_had_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "FAILURE_DELAY_MAX_S", 0.0)
    async with tried(
        tmp_path, "secret", "--header", "Authorization: Bearer secret", "--phases", "coverage",
        "--checks", "ignored_auth,not_a_server_error",
    ):  # fmt: skip
        pass


async def test_every_route_is_described_and_every_description_served() -> None:
    described = json.loads(DESCRIPTION.read_text())["paths"]
    async with site() as served:
        routes = {
            (route.resource.canonical, route.method.lower())
            for route in served.page._app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
        async with aiohttp.ClientSession() as http, http.get(served.url + "/openapi.json") as got:
            assert await got.json() == json.loads(DESCRIPTION.read_text())
    files = {("/", "get"), ("/page/{name}", "get")}
    assert routes - files == {(path, method) for path, item in described.items() for method in item}
