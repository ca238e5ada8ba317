import socket

import aiohttp
import pytest

from daemon.figures import Figures
from daemon.figures_server import LOCALHOST, serve
from daemon.host_check import is_local_name


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:9464", True),
        ("[::1]:80", True),
        ("::1", True),
        ("localhost:1", True),
        ("camera-box", True),
        ("camera-box.local:8890", True),
        ("Box.LAN.", True),
        (socket.gethostname(), True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:9464", False),
        ("local.evil", False),
    ],
)
def test_a_public_name_is_not_this_machine(host: str, local: bool) -> None:
    assert is_local_name(host) is local


async def test_figures_are_not_read_through_a_lent_name() -> None:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        port = probe.getsockname()[1]
    async with serve(Figures(), LOCALHOST, port), aiohttp.ClientSession() as http:
        url = f"http://{LOCALHOST}:{port}/figures.json"
        async with http.get(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 421
        async with http.get(url) as response:
            assert response.status == 200
