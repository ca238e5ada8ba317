"""The whole streamer: against a real WHIP endpoint, and as a process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import av
import pytest
from small_clips import H, W, nals_of_packet, write_clip

from daemon.config import load
from daemon.errors import UsageError
from engines.errors import UnknownEngineError
from link.errors import SessionEnded
from link.nal import split_annexb
from link.receiver import MediaReceiver
from link.side_info import find_side_info
from link.whip_server import WhipServer
from streamer.app import stream
from streamer.config import StreamerConfig

ROOT = Path(__file__).parents[2]
BASE = {"engine": "plain", "preset": "ultrafast", "threads": 1, "figures_port": 0, "scale": 2}


def _config(**keys: object) -> StreamerConfig:
    return load(StreamerConfig, None, {**BASE, **keys})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Viewer:
    """A WHIP endpoint that keeps what arrives."""

    def __init__(self, token: str | None = None) -> None:
        self.units: list[bytes] = []
        self.sessions = 0
        self.server = WhipServer(
            host="127.0.0.1", port=0, token=token, network_ids=(), on_session=self._session
        )

    async def _session(self, receiver: MediaReceiver) -> None:
        self.sessions += 1
        with suppress(SessionEnded):
            while True:
                self.units.append((await receiver.receive()).data)


async def test_a_looped_clip_reaches_the_viewer_and_ends_after_its_duration(clip: Path) -> None:
    viewer = Viewer()
    await viewer.server.start()
    port = _free_port()
    config = _config(
        source=str(clip),
        loop=True,
        peer=f"http://127.0.0.1:{viewer.server.port}/whip",
        duration=2.5,
        figures_port=port,
    )
    running = asyncio.ensure_future(stream(config, asyncio.Event()))
    while len(viewer.units) < 10:
        await asyncio.sleep(0.02)
        assert not running.done()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/figures.json") as reply,
    ):
        figures = await reply.json()
    await asyncio.wait_for(running, 20)
    await viewer.server.stop()
    assert 30 <= len(viewer.units) <= 63
    info = find_side_info(split_annexb(viewer.units[0]))
    assert info is not None
    assert (info.source_width, info.source_height, info.fps) == (W, H, 25.0)
    names = "capture_ms network_ms carrier_ms send_ms frames_captured frames_skipped frames_sent"
    names += " bits_per_s scale bits qp engine size fps peer state"
    assert set(names.split()) <= set(figures)
    assert figures["state"] == "connected"


async def test_a_viewer_that_comes_later_is_found(clip: Path) -> None:
    viewer, stop = Viewer(), asyncio.Event()
    viewer.server = WhipServer(
        host="127.0.0.1",
        port=(port := _free_port()),
        token=None,
        network_ids=(),
        on_session=viewer._session,
    )
    config = _config(source=str(clip), loop=True, peer=f"http://127.0.0.1:{port}/whip")
    running = asyncio.ensure_future(stream(config, stop))
    await asyncio.sleep(0.3)
    await viewer.server.start()
    for _ in range(500):
        if len(viewer.units) >= 3:
            break
        await asyncio.sleep(0.02)
    assert viewer.units
    stop.set()
    await asyncio.wait_for(running, 20)
    await viewer.server.stop()


async def test_a_wrong_token_is_a_usage_error(clip: Path) -> None:
    viewer = Viewer(token="right")
    await viewer.server.start()
    config = _config(
        source=str(clip),
        loop=True,
        peer=f"http://127.0.0.1:{viewer.server.port}/whip",
        token="wrong",
    )
    with pytest.raises(UsageError, match="refuses this token"):
        await asyncio.wait_for(stream(config, asyncio.Event()), 20)
    await viewer.server.stop()


async def test_sending_and_recording_at_once(clip: Path, tmp_path: Path) -> None:
    viewer = Viewer()
    await viewer.server.start()
    config = _config(
        source=str(clip),
        peer=f"http://127.0.0.1:{viewer.server.port}/whip",
        output=str(tmp_path / "out.mkv"),
    )
    await asyncio.wait_for(stream(config, asyncio.Event()), 20)
    await viewer.server.stop()
    assert _pictures(tmp_path / "out.mkv") >= 25


async def test_an_unknown_engine_names_the_known_ones(clip: Path, tmp_path: Path) -> None:
    config = _config(source=str(clip), output=str(tmp_path / "o.mkv"), engine="magic")
    with pytest.raises(UnknownEngineError, match=r"'magic'.*auto.*plain"):
        await stream(config, asyncio.Event())


async def test_a_taken_port_for_the_figures_is_a_usage_error(clip: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = _config(source=str(clip), output=str(tmp_path / "o.mkv"), figures_port=port)
        with pytest.raises(UsageError, match=f"port {port}"):
            await stream(config, asyncio.Event())


async def test_every_frame_of_a_file_is_in_the_output_in_less_than_real_time(
    tmp_path: Path,
) -> None:
    clip = write_clip(tmp_path / "long.mp4", [(W, H)] * 250)
    started = time.monotonic()
    await stream(_config(source=str(clip), output=str(tmp_path / "o.mkv")), asyncio.Event())
    assert time.monotonic() - started < 8
    assert _pictures(tmp_path / "o.mkv") == 250


def _pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _command(*arguments: str) -> list[str]:
    common = ["--engine", "plain", "--figures-port", "0", "--preset", "ultrafast"]
    return [sys.executable, "-m", "streamer.cli", *arguments, *common]


@pytest.fixture
def recording(clip: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The daemon as a process, recording for ever, with a second or more in its file."""
    path = tmp_path / "out.mkv"
    process = subprocess.Popen(
        _command("--source", str(clip), "--loop", "--output", str(path), "--log-style", "json"),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not path.exists() or path.stat().st_size < 20_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process, path
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_the_file_playable(
    recording: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    process, path = recording
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert events[-1] == "ended"
    with av.open(str(path)) as container:
        assert container.duration is not None  # written at a clean end only
    assert _pictures(path) > 25


def test_a_killed_recording_plays(recording: tuple[subprocess.Popen[str], Path]) -> None:
    process, path = recording
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert _pictures(path) > 25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "63"], "there is no camera /dev/video63"),
        (["--source", "nowhere.mp4"], "cannot play nowhere.mp4: No such file"),
        (["--source", __file__], "cannot play"),
    ],
)
def test_a_source_that_is_not_there_exits_with_2_one_line_and_no_file(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    path = tmp_path / "out.mkv"
    ended = subprocess.run(
        _command(*arguments, "--output", str(path), "--log-level", "error"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not path.exists()


def test_importing_the_daemon_loads_no_torch() -> None:
    code = (
        "import sys, streamer.app, streamer.cli; assert not {'torch', 'skimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("guide", [True, False])
async def test_a_recorded_stream_guides_its_viewer(tmp_path: Path, guide: bool) -> None:
    clip = write_clip(tmp_path / "clip.ts", [(W, H)] * 40)
    output = tmp_path / "out.mkv"
    config = _config(source=str(clip), engine="auto", output=str(output), guide=guide)
    await stream(config, asyncio.Event())
    with av.open(str(output)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    infos = [find_side_info(nals_of_packet(packet)) for packet in packets]
    told = [number for number, info in enumerate(infos) if info and info.guide]
    assert len(packets) == 40
    assert bool(told) == guide
    assert all(10 <= number < 20 for number in told[:1])
