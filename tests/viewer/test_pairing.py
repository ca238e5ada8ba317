"""Who may send to a viewer: the first box, those that are paired, and whom a window lets in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sending import publish_to
from test_viewer_session import connect, free_port

from daemon.config import load
from daemon.errors import UsageError
from daemon.peer_book import PeerBook
from daemon.state import State
from link import whip_server
from link.errors import Refused
from link.identity import Box
from viewer.app import view
from viewer.cli import main
from viewer.config import ViewerConfig
from viewer.pairing import WINDOW_MAX_MINUTES, Pairing, Window

OWN, A, B = "00" * 32, Box("aa" * 32, "camera-a"), Box("bb" * 32, "camera-b")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "viewer")


def pairing(state: State, *, first_may_pair: bool = True) -> Pairing:
    return Pairing(state, OWN, first_may_pair=first_may_pair)


def test_the_first_box_is_paired_and_later_ones_are_told_what_to_do(state: State) -> None:
    gate = pairing(state)
    assert gate.summary() == "the first streamer is paired"
    assert gate.refusal(A) is None
    assert gate.admit(A)
    assert gate.knows(A)
    why = gate.refusal(B)
    assert why is not None
    assert "denc-view pair" in why
    assert "camera-b (bbbb-bbbb-bbbb-bbbb)" in why
    assert not gate.admit(B)
    assert pairing(state).admit(A)
    assert gate.summary() == "paired: camera-a"


def test_of_two_that_come_at_once_the_faster_is_paired(state: State) -> None:
    gate = pairing(state)
    assert gate.refusal(A) is gate.refusal(B) is None
    assert gate.admit(B)
    assert not gate.admit(A)


def test_a_window_lets_one_more_in(state: State) -> None:
    gate = pairing(state)
    gate.admit(A)
    Window(state.pairing).open(5)
    assert gate.refusal(B) is None
    assert gate.admit(B)
    assert gate.refusal(Box("cc" * 32, "camera-c")) is not None
    assert len(PeerBook(state.streamers).peers()) == 2


def test_the_window_is_left_open_by_those_that_are_paired_already(state: State) -> None:
    gate = pairing(state)
    gate.admit(A)
    Window(state.pairing).open(5)
    assert gate.admit(A)
    assert gate.admit(Box(OWN, "this"))
    assert gate.admit(B)


def test_a_window_closes_by_itself_and_a_damaged_one_is_closed(tmp_path: Path) -> None:
    now = 1e9
    window = Window(tmp_path / "pairing", lambda: now)
    assert not window.is_open()
    window.open(2)
    assert window.is_open()
    now += 121
    assert not window.is_open()
    for text in ("", "soon", "nan", "inf", str(now + WINDOW_MAX_MINUTES * 61)):
        (tmp_path / "pairing").write_text(text)
        assert not window.is_open(), text


def test_a_forgotten_box_stays_out_and_makes_no_room_for_a_stranger(state: State) -> None:
    gate = pairing(state)
    gate.admit(A)
    PeerBook(state.streamers).forget(lambda peer: True)
    assert gate.refusal(A) is not None
    assert gate.refusal(B) is not None
    assert "denc-view pair" in gate.summary()


def test_with_a_token_nobody_is_paired_by_coming_first(state: State) -> None:
    gate = pairing(state, first_may_pair=False)
    assert gate.refusal(A) is not None
    Window(state.pairing).open(1)
    assert gate.refusal(A) is None


def test_a_program_without_a_lasting_key_is_never_paired(state: State) -> None:
    gate, stranger = pairing(state), Box("cc" * 32, None)
    why = gate.refusal(stranger)
    assert why is not None
    assert "--token" in why
    assert not gate.admit(stranger)
    assert not PeerBook(state.streamers).was_used


def test_a_list_that_cannot_be_read_lets_nobody_in(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    state.streamers.mkdir()
    gate = pairing(state)
    assert gate.refusal(A) is not None
    assert not gate.admit(A)
    assert "cannot read" in caplog.text


def test_a_list_that_cannot_be_read_forgets_nobody_and_is_told_of_once(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    gate = pairing(state)
    gate.admit(A)
    kept = state.streamers.rename(state.streamers.with_name("kept"))
    state.streamers.mkdir()
    assert all(gate.knows(box) for box in (A, A, Box(OWN, "this"), A))
    assert caplog.text.count("cannot read") == 1
    state.streamers.rmdir()
    kept.rename(state.streamers)
    assert gate.knows(A)
    PeerBook(state.streamers).forget(lambda peer: True)
    assert not gate.knows(A)


def test_a_list_of_damaged_lines_opens_nothing(state: State) -> None:
    state.streamers.write_text("garbage\n")
    assert pairing(state).refusal(A) is not None


def test_strangers_that_knock_fill_no_log(state: State, caplog: pytest.LogCaptureFixture) -> None:
    gate = pairing(state, first_may_pair=False)
    for number in range(100):
        gate.refusal(Box("cc" * 32, f"camera-{number}"))
    assert len(caplog.records) == 1


@asynccontextmanager
async def viewing(folder: Path, **keys: object) -> AsyncIterator[int]:
    port, stop = free_port(), asyncio.Event()
    given = {"listen": f"127.0.0.1:{port}", "headless": True, "figures_port": 0}
    given |= {"engine": "plain", "state": str(folder)}
    task = asyncio.create_task(view(load(ViewerConfig, None, given | keys), stop))
    try:
        yield port
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_first_second_window_and_forget_over_the_whole_viewer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    viewer, first, second = (tmp_path / name for name in ("viewer", "first", "second"))
    at_viewer = ["--state", str(viewer)]
    async with viewing(viewer) as port:
        await (await connect(port, state=first, name="camera-1")).close()
        with pytest.raises(Refused, match="camera-2") as refused:
            await publish_to(port, state=second, name="camera-2")
        assert refused.value.status == 403
        assert "denc-view pair" in refused.value.message
        assert main(["pair", "--for", "1", *at_viewer]) == 0
        live = await publish_to(port, state=second, name="camera-2")
        while len(PeerBook(State(viewer).streamers).peers()) < 2:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)  # the streamer is through its handshake a little earlier
        assert main(["peers", *at_viewer]) == 0
        assert main(["forget", "camera-2", *at_viewer]) == 0
        begin = time.monotonic()
        await asyncio.wait_for(live.wait_closed(), 5)
        assert time.monotonic() - begin < 4
        with pytest.raises(Refused):
            await publish_to(port, state=second, name="camera-2")
        await (await publish_to(port, state=first, name="camera-1")).close()
    printed = capsys.readouterr().out
    assert "within 1 minute;" in printed
    assert "camera-1" in printed
    assert "forgotten: camera-2" in printed


async def test_a_list_that_cannot_be_read_ends_no_session_and_begins_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whip_server, "RECHECK_S", 0.05)
    viewer, box = tmp_path / "viewer", tmp_path / "box"
    listed = State(viewer).streamers
    async with viewing(viewer) as port:
        live = await connect(port, state=box)
        while not listed.exists():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)
        kept = listed.rename(listed.with_name("kept"))
        listed.mkdir()
        closed = asyncio.ensure_future(live.wait_closed())
        with pytest.raises(Refused):
            await publish_to(port, state=box)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(closed), 1)
        listed.rmdir()
        kept.rename(listed)
        PeerBook(listed).forget(lambda peer: True)
        await asyncio.wait_for(closed, 5)


async def test_paired_boxes_need_no_token_and_a_token_needs_no_pairing(tmp_path: Path) -> None:
    viewer, box = tmp_path / "viewer", tmp_path / "box"
    PeerBook(State(viewer).streamers).add(State(box).identity().fingerprint, "box")
    async with viewing(viewer, token="secret") as port:
        await (await connect(port, state=box)).close()
        await (await publish_to(port, token="secret", state=tmp_path / "other")).close()
        with pytest.raises(Refused) as refused:
            await publish_to(port, state=tmp_path / "other")
        assert refused.value.status == 401


def test_commands_used_wrongly_end_with_2_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--state", str(tmp_path)]
    assert main(["peers", *at]) == 2
    assert "--state" in capsys.readouterr().err
    State(tmp_path).identity()
    assert main(["forget", "nobody", *at]) == 2
    assert "denc-view peers" in capsys.readouterr().err
    book = PeerBook(State(tmp_path).streamers)
    book.add(A.fingerprint, "jetson")
    book.add(B.fingerprint, "jetson")
    assert main(["forget", "jetson", *at]) == 2
    assert "bbbb-bbbb" in capsys.readouterr().err
    assert main(["forget", "bbbb-bbbb", *at]) == 0
    with pytest.raises(SystemExit) as ended:
        main(["pair", "--for", "never", *at])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_plain_http_needs_a_token() -> None:
    with pytest.raises(UsageError, match="--http needs --token"):
        load(ViewerConfig, None, {"listen": "1", "http": "2"})
    assert load(ViewerConfig, None, {"listen": "1", "http": "2", "token": "x"}).http is not None
