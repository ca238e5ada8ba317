import socket

import aiohttp
import pytest

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.figures_server import LOCALHOST, serve

PROCESS = {"process_memory_bytes", "process_files", "process_threads", "process_tasks"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


async def test_figures_are_served_as_json_and_for_prometheus() -> None:
    figures = Figures()
    figures.add("frames_sent", 7)
    port = _free_port()
    base = f"http://{LOCALHOST}:{port}"
    async with (
        serve(figures, LOCALHOST, port, prefix="denc_stream"),
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{base}/figures.json") as reply:
            told = await reply.json()
            assert told["frames_sent"] == 7
            assert set(told) - {"frames_sent"} == PROCESS
        async with session.get(f"{base}/metrics") as reply:
            assert reply.content_type == "text/plain"
            text = await reply.text()
            assert "denc_stream_frames_sent_total 7\n" in text
            assert "# TYPE denc_stream_process_memory_bytes gauge\n" in text


async def test_taken_port_is_a_usage_error_that_names_it() -> None:
    with socket.socket() as other:
        other.bind((LOCALHOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} .*--figures-port"):
            async with serve(Figures(), LOCALHOST, port):
                pass


async def test_port_zero_serves_nothing() -> None:
    async with serve(Figures(), LOCALHOST, 0):
        pass
