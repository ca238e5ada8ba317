"""`denc-stream --duration`, as a process: it ends in time, whatever the viewer does."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from benches.demo.processes import free_port
from link.errors import SessionEnded
from link.identity import Box
from link.receiver import MediaReceiver
from link.whip_server import WhipServer

ROOT = Path(__file__).parents[2]
DURATION_S = 3.0
SLACK_S = 8.0  # imports before, stages and goodbye after
OPTIONS = ("--engine", "plain", "--figures-port", "0", "--preset", "ultrafast", "--size", "192x112")


class Closed:
    """A gate that lets nobody in."""

    def knows(self, box: Box) -> bool:
        return False

    def refusal(self, box: Box) -> str | None:
        return "not paired with this viewer"

    def admit(self, box: Box) -> bool:
        return False


@asynccontextmanager
async def viewer(gate: Closed | None = None) -> AsyncIterator[tuple[WhipServer, asyncio.Event]]:
    """A WHIP endpoint, and whether an access unit came."""
    came = asyncio.Event()

    async def watch(receiver: MediaReceiver) -> None:
        with suppress(SessionEnded):
            while True:
                await receiver.receive()
                came.set()

    server = WhipServer(
        host="127.0.0.1", port=0, token=None, network_ids=(), on_session=watch, gate=gate
    )
    await server.start()
    try:
        yield server, came
    finally:
        await server.stop()


async def streamer(port: int) -> asyncio.subprocess.Process:
    peer = f"http://127.0.0.1:{port}/whip"
    command = ("streamer.cli", "--source", "demo:", "--peer", peer, "--duration", f"{DURATION_S}")
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, *OPTIONS, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )


async def end_of(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Its exit code and what it said; it has to end in time."""
    start = time.monotonic()
    try:
        _, told = await asyncio.wait_for(process.communicate(), DURATION_S + SLACK_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert time.monotonic() - start > DURATION_S / 2
    return process.returncode, told.decode()


async def test_a_refused_streamer_ends_after_its_duration_and_fails() -> None:
    async with viewer(Closed()) as (server, _):
        code, told = await end_of(await streamer(server.port))
    assert "the viewer says no" in told
    assert "the duration is over  seconds=3\n" in told
    assert told.endswith("denc-stream  it is over, and no picture was ever delivered\n")
    assert code == 1


async def test_a_streamer_that_never_connects_ends_after_its_duration_and_fails() -> None:
    code, told = await end_of(await streamer(free_port()))
    assert "the viewer cannot be reached" in told
    assert "no picture was ever delivered" in told
    assert code == 1


async def test_a_streamer_whose_viewer_went_away_ends_after_its_duration_and_is_fine() -> None:
    async with viewer() as (server, came):
        process = await streamer(server.port)
        await asyncio.wait_for(came.wait(), SLACK_S)
    code, told = await end_of(process)
    assert "connecting again" in told
    assert "the duration is over" in told
    assert code == 0
