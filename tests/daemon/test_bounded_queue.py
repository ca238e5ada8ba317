import threading
import time

from daemon.bounded_queue import BoundedQueue
from daemon.stage import Stage


def test_live_the_oldest_makes_room_and_is_counted() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, waits=False)
    assert [queue.put(n) for n in range(4)] == [0, 0, 1, 1]
    assert [queue.get(), queue.get()] == [2, 3]


def test_one_place_is_a_mailbox_in_which_the_newest_wins() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, waits=False)
    for n in range(5):
        queue.put(n)
    assert queue.get() == 4


def test_waiting_holds_the_writer_up_and_loses_nothing() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, waits=True)
    lost = []

    def write() -> None:
        lost.extend(queue.put(n) for n in range(50))
        queue.close()

    thread = threading.Thread(target=write)
    thread.start()
    got = []
    while (value := queue.get()) is not None:
        got.append(value)
    thread.join(5)
    assert got == list(range(50))
    assert sum(lost) == 0


def test_a_closed_queue_gives_out_what_it_holds_unless_discarded() -> None:
    for discard, expected in ((False, 7), (True, None)):
        queue: BoundedQueue[int] = BoundedQueue(1, waits=True)
        queue.put(7)
        queue.close(discard=discard)
        assert queue.get() == expected
        assert queue.get() is None
        assert queue.put(8) == 1


def test_closing_frees_a_writer_that_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, waits=True)
    queue.put(1)
    threading.Timer(0.05, queue.close).start()
    assert queue.put(2) == 1


def test_a_stage_that_raises_says_so_and_ends_alone() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        raise ValueError("broken")

    stage = Stage("work", work, errors.append)
    assert stage.join(5)
    assert [str(error) for error in errors] == ["broken"]


def test_joining_a_stage_that_hangs_gives_up() -> None:
    release = threading.Event()
    stage = Stage("hang", lambda: release.wait(10) and None, lambda error: None)
    started = time.monotonic()
    assert not stage.join(0.05)
    assert time.monotonic() - started < 5
    release.set()
    assert stage.join(5)
