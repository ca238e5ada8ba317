"""Which box answers where, as a streamer remembers it."""

from pathlib import Path

import pytest

from daemon.peer_book import PeerBook
from daemon.state import State
from streamer.cli import main
from streamer.known_viewers import KnownViewers

OWN, A, B = "00" * 32, "aa" * 32, "bb" * 32


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "box")


def test_the_first_box_that_answers_is_remembered_and_another_is_refused(state: State) -> None:
    known = KnownViewers(state, OWN)
    assert known.refusal("box:8889", A) is None
    known.keep("box:8889", A)
    known.keep("box:8889", A)
    assert len(PeerBook(state.viewers).peers()) == 1
    assert KnownViewers(state, OWN).refusal("box:8889", A) is None
    why = known.refusal("box:8889", B)
    assert why is not None
    assert f"denc-stream forget box:8889 --state {state.folder}" in why
    assert "bbbb-bbbb" in why
    assert "nothing was sent" in why


def test_each_address_has_its_own_box(state: State) -> None:
    known = KnownViewers(state, OWN)
    known.keep("box:8889", A)
    assert known.refusal("box:8890", B) is None


def test_this_box_itself_is_always_right_and_not_remembered(state: State) -> None:
    known = KnownViewers(state, OWN)
    known.keep("127.0.0.1:1", OWN)
    assert PeerBook(state.viewers).peers() == ()
    known.keep("127.0.0.1:1", A)
    assert known.refusal("127.0.0.1:1", OWN) is None


def test_a_list_that_cannot_be_read_trusts_nobody(state: State) -> None:
    state.viewers.mkdir()
    assert "cannot read" in (KnownViewers(state, OWN).refusal("box:1", A) or "")


def test_a_forgotten_viewer_may_be_another_one(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    state.identity()
    known = KnownViewers(state, OWN)
    known.keep("box:8889", A)
    assert main(["peers", "--state", str(state.folder)]) == 0
    assert "box:8889" in capsys.readouterr().out
    assert main(["forget", "box", "--state", str(state.folder)]) == 0
    assert known.refusal("box:8889", B) is None
    assert main(["forget", "box", "--state", str(state.folder)]) == 2
