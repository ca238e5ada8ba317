"""The whole viewer over real WebRTC on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest
from made_streams import coded
from sending import publish_to, send

from daemon.config import load
from daemon.errors import UsageError
from engines.errors import UnknownEngineError, WeightsError
from engines.weight_store import MANIFEST, WEIGHTS_FOLDER, WeightStore
from link.errors import Refused, SignallingError
from link.sender import MediaSender
from viewer.app import view
from viewer.config import ViewerConfig

COMMAND = [sys.executable, "-c", "import sys; from viewer.cli import main; sys.exit(main())"]
needs_weights = pytest.mark.skipif(
    not (WEIGHTS_FOLDER / MANIFEST).exists(), reason="no trained weights are installed"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def viewer(
    token: str | None = None, **keys: object
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """A viewer on a port of its own; it is stopped and waited for at the end."""
    port, stop = free_port(), asyncio.Event()
    given = {"listen": f"127.0.0.1:{port}", "headless": True, "figures_port": 0, "token": token}
    texts = {name: str(v) if isinstance(v, Path) else v for name, v in keys.items()}
    config = load(ViewerConfig, None, given | {"engine": "plain"} | texts)
    task = asyncio.create_task(view(config, stop))
    try:
        yield port, task
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def connect(
    port: int,
    token: str | None = None,
    *,
    state: Path | None = None,
    name: str = "camera",
    stream: str | None = None,
) -> MediaSender:
    for _ in range(100):
        with contextlib.suppress(SignallingError):
            return await publish_to(port, token=token, state=state, name=name, stream=stream)
        await asyncio.sleep(0.05)
    raise AssertionError("the viewer does not listen")


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


async def test_a_stream_is_recorded_restored_and_as_received(tmp_path: Path) -> None:
    record, stream, log = tmp_path / "r.mkv", tmp_path / "s.mkv", tmp_path / "f.csv"
    units = coded(50)
    async with viewer(
        once=True,
        record=record,
        record_stream=stream,
        log_frames=log,
        latency_budget=60_000,  # a busy machine may be slow here, and drop nothing
    ) as (port, end):
        sender = await connect(port)
        await send(sender, units)
        await sender.close()
        await asyncio.wait_for(asyncio.shield(end), 30)
    assert pictures(record) == pictures(stream) == 50
    with log.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["frame_number"]) for row in rows] == list(range(50))
    assert sum(int(row["bytes"]) for row in rows) == sum(len(unit.data) for unit in units)


async def test_a_streamer_may_leave_and_come_back(tmp_path: Path) -> None:
    record = tmp_path / "r.mkv"
    async with viewer(record=record) as (port, end):
        for _ in range(2):
            sender = await connect(port)
            await send(sender, coded(20))
            await sender.close()
        assert not end.done()
    assert pictures(record) == 40


async def test_a_change_of_source_size_is_followed_live(tmp_path: Path) -> None:
    record = tmp_path / "r.mkv"
    async with viewer(record=record) as (port, _):
        sender = await connect(port)
        await send(sender, coded(15))
        await send(sender, coded(15, first=15, width=256, height=144, scale=4), first=15)
        await sender.close()
    assert (pictures(record), pictures(tmp_path / "r-1.mkv")) == (15, 15)


async def test_a_plain_h265_sender_is_shown(tmp_path: Path) -> None:
    record = tmp_path / "r.mkv"
    async with viewer(record=record, engine="auto") as (port, _):
        sender = await connect(port)
        await send(sender, coded(15, scale=1, side_info=False))
        await sender.close()
    assert pictures(record) == 15


async def test_a_streamer_without_the_token_is_refused() -> None:
    async with viewer(token="secret") as (port, _):
        sender = await connect(port, "secret")
        with pytest.raises(Refused) as refused:
            await publish_to(port, token="wrong")
        assert refused.value.status == 401
        await sender.close()


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        keys = {"listen": f"127.0.0.1:{port}", "headless": True, "figures_port": 0}
        with pytest.raises(UsageError, match=f"{port}.*--listen"):
            await view(load(ViewerConfig, None, keys), asyncio.Event())


async def test_an_unknown_engine_ends_before_anything_is_opened(tmp_path: Path) -> None:
    keys = {"listen": "127.0.0.1:0", "engine": "nonsense", "record": str(tmp_path / "r.mkv")}
    with pytest.raises((UnknownEngineError, WeightsError)):
        await view(load(ViewerConfig, None, keys | {"figures_port": 0}), asyncio.Event())
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_engine_is_a_usage_error_that_lists_the_known() -> None:
    options = ["--listen", "127.0.0.1:0", "--headless", "--figures-port", "0"]
    ended = subprocess.run(
        [*COMMAND, *options, "--engine", "nonsense"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "nonsense" in ended.stderr
    assert "plain" in ended.stderr


@pytest.fixture
def damaged_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installed weights with one bit flipped in a restorer's; its name."""
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS_FOLDER, folder)
    name = WeightStore(folder).restorers[0]
    file = folder / f"{name}.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    monkeypatch.setattr(WeightStore.__init__, "__defaults__", (folder,))
    return name


@needs_weights
async def test_damaged_weights_end_an_engine_that_was_asked_for(damaged_weights: str) -> None:
    keys = {"listen": "127.0.0.1:0", "engine": damaged_weights, "headless": True}
    with pytest.raises(WeightsError, match=rf"{damaged_weights}\.safetensors"):
        await view(load(ViewerConfig, None, keys | {"figures_port": 0}), asyncio.Event())


@needs_weights
async def test_damaged_weights_mean_plain_upscaling_and_a_message_that_names_them(
    damaged_weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "f.csv"
    with caplog.at_level("WARNING"):
        async with viewer(engine="auto", log_frames=log) as (port, _):
            sender = await connect(port)
            await send(sender, coded(15, network_id=WeightStore().partner(damaged_weights)))
            await sender.close()
    reasons = [getattr(record, "fields", {}).get("reason", "") for record in caplog.records]
    assert sum(f"{damaged_weights}.safetensors" in reason for reason in reasons) == 1
    with log.open() as lines:
        assert [row["engine"] for row in csv.DictReader(lines)] == ["plain"] * 15


@needs_weights
async def test_a_stream_of_an_installed_network_is_restored_by_its_partner(tmp_path: Path) -> None:
    log = tmp_path / "f.csv"
    store = WeightStore()
    async with viewer(engine="auto", log_frames=log) as (port, _):
        sender = await connect(port)
        units = coded(15, width=64, height=64, network_id=store.encoder_id)
        await send(sender, units, interval_s=0.05)
        await sender.close()
    with log.open() as lines:
        engines = {row["engine"] for row in csv.DictReader(lines)}
    assert len(engines) == 1
    assert engines <= set(store.restorers)


async def test_a_recording_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    keys = {"listen": "127.0.0.1:0", "figures_port": 0, "record": str(tmp_path / "no" / "r.mkv")}
    with pytest.raises(UsageError, match="cannot write"):
        await view(load(ViewerConfig, None, keys), asyncio.Event())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_command_with_the_recording_playable(
    tmp_path: Path, number: signal.Signals
) -> None:
    port, record = free_port(), tmp_path / "r.mkv"
    options = ["--listen", f"127.0.0.1:{port}", "--record", str(record), "--figures-port", "0"]
    process = await asyncio.create_subprocess_exec(*COMMAND, *options, "--engine", "plain")
    sender = await connect(port)
    await send(sender, coded(40))
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    await asyncio.wait_for(sender.wait_closed(), 4)
    await sender.close()
    assert pictures(record) == 40


def test_importing_the_viewer_loads_no_training_framework() -> None:
    script = "import sys, viewer.app; sys.exit(bool({'torch', 'tensorrt'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
