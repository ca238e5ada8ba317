"""What aiohttp logs about requests that are none."""

import asyncio
import logging

import pytest
from aiohttp import web

from daemon import log
from daemon.malformed_http import LOGGER, QUIET_S, MalformedHttp

MALFORMED = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\0: a\r\n\r\n",
    b"GET /" + 9000 * b"a" + b" HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nfoo",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nGARBAGE",
)


async def _ask(*requests: bytes) -> None:
    """Each in a connection of its own, to a server that reads bodies, or fails for /broken."""

    async def read(request: web.Request) -> web.Response:
        await request.read()
        if request.path == "/broken":
            raise ZeroDivisionError
        return web.Response()

    runner = web.ServerRunner(web.Server(read))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    for request in requests:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(request)
        await asyncio.wait_for(reader.read(1), 5)
        writer.close()
    await runner.cleanup()


@pytest.mark.parametrize("request_bytes", MALFORMED, ids=lambda data: data[:30].decode())
async def test_a_malformed_request_is_one_line(
    request_bytes: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup()
    await _ask(request_bytes)
    (line,) = capsys.readouterr().err.splitlines()
    assert " warning aiohttp.server  malformed HTTP: " in line
    assert len(line) < 300


async def test_many_malformed_requests_are_one_line_a_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.setup()
    now = [100.0]
    logging.getLogger(LOGGER).filters = [MalformedHttp(lambda: now[0])]
    await _ask(*MALFORMED[:4])
    now[0] += QUIET_S
    await _ask(MALFORMED[0])
    first, second = capsys.readouterr().err.splitlines()
    assert "more=" not in first
    assert second.endswith("more=3")


async def test_our_own_error_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup()
    await _ask(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ZeroDivisionError" in told
