from datetime import datetime, timezone
from pathlib import Path

import pytest

from daemon.errors import RunError, UsageError
from daemon.peer_book import PeerBook, matcher, table
from daemon.state import State, default_folder, open_state

A, B = "aa" * 32, "bb" * 32
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


@pytest.fixture
def book(tmp_path: Path) -> PeerBook:
    return PeerBook(tmp_path / "streamers", lambda: NOON)


def test_systemds_folder_comes_before_the_users(state_home: Path) -> None:
    assert default_folder({"STATE_DIRECTORY": "/var/lib/denc:/x"}) == Path("/var/lib/denc")
    assert default_folder({}) == state_home
    assert open_state(None).folder == state_home
    assert open_state(None).option == ""
    assert open_state(state_home / "b").option == f" --state {state_home / 'b'}"


def test_the_folder_and_the_key_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    state = State(tmp_path / "a" / "b")
    assert state.folder.stat().st_mode & 0o777 == 0o700
    assert state.identity().fingerprint == State(state.folder).identity().fingerprint


def test_a_folder_that_others_can_write_is_refused_with_the_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=f"chmod 700 {tmp_path}"):
        State(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/x.*--state"):
        State(tmp_path / "file" / "x")


def test_a_damaged_key_is_a_mistake_that_the_user_can_mend(tmp_path: Path) -> None:
    State(tmp_path).identity().path.write_text("x")
    with pytest.raises(UsageError, match="mv "):
        State(tmp_path).identity()


def test_peers_are_kept_for_people_and_their_owner_alone(book: PeerBook) -> None:
    assert (book.peers(), book.was_used) == ((), False)
    book.add(A, "camera-7")
    assert book.path.stat().st_mode & 0o777 == 0o600
    assert f"{A} 2026-01-02T12:00:00Z 2026-01-02T12:00:00Z camera-7\n" in book.path.read_text()
    assert "aaaa-aaaa-aaaa-aaaa" in table(book.peers())
    assert book.find(fingerprint=A) == book.find(name="camera-7") == book.peers()[0]
    assert book.find(fingerprint=B) is book.find(name="x") is None


def test_who_is_forgotten_is_not_there_and_the_list_is_not_new(book: PeerBook) -> None:
    peer = book.add(A, "camera-7")
    assert book.forget(matcher("nobody")) == ()
    assert book.forget(matcher("camera-7")) == (peer,)
    book.touch(peer)
    assert (book.peers(), book.was_used) == ((), True)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("box:8889", True),
        ("box", True),
        ("aaaa-aaaa", True),
        ("AA:AA:AA:AA:AA", True),
        ("aaaa", False),
        ("8889", False),
        ("bo", False),
        ("", False),
    ],
)
def test_a_peer_is_named_by_host_or_fingerprint(book: PeerBook, text: str, fits: bool) -> None:
    assert matcher(text)(book.add(A, "box:8889")) is fits


def test_damaged_lines_are_nobody_are_told_once_and_stay(
    book: PeerBook, caplog: pytest.LogCaptureFixture
) -> None:
    book.path.write_text(f"hello\n{B} soon later x\n{A[:-1]} a b c\n\xff\n\n# note\n")
    assert (book.peers(), book.peers(), book.was_used) == ((), (), True)
    assert len(caplog.records) == 1
    book.add(A, "camera-7")
    assert len(book.peers()) == 1
    assert "hello\n" in book.path.read_text()


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "streamers").mkdir()
    with pytest.raises(RunError, match="cannot read"):
        PeerBook(tmp_path / "streamers").peers()
    with pytest.raises(RunError, match="cannot write"):
        PeerBook(tmp_path / "no" / "streamers").add(A, "x")
