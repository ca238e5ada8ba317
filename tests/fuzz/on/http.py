"""Raw HTTP bytes into an aiohttp application, over a Unix socket: no port, no other machine."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

ANSWER_TIMEOUT_S = 2.0  # an event stream or moving pictures have no end
READ_BYTES = 1 << 16


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Path]:
    """The path of the socket at which the application is served."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "http")
        await web.UnixSite(runner, str(path)).start()
        try:
            yield path
        finally:
            await runner.cleanup()


async def ask(path: Path, request: bytes) -> bytes:
    """Sends the bytes, says that no more come, and reads what comes back."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    answer = b""
    try:
        writer.write(request)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(READ_BYTES), ANSWER_TIMEOUT_S)
    except (ConnectionError, asyncio.TimeoutError):
        pass  # hung up on, or moving pictures before the first one
    finally:
        writer.close()
    return answer
