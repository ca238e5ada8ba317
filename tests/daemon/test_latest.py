import asyncio
import threading

import pytest

from daemon.latest import Latest, MailboxClosedError


def test_newest_value_wins_and_the_replaced_are_counted() -> None:
    box: Latest[int] = Latest()
    assert [box.put(n) for n in range(4)] == [False, True, True, True]
    assert box.get() == 3
    assert box.replaced == 3


def test_get_gives_up_after_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        Latest[int]().get(timeout_s=0.01)


def test_closed_mailbox_still_gives_out_what_it_holds() -> None:
    box: Latest[int | None] = Latest()
    box.put(None)
    box.close()
    assert box.get() is None
    with pytest.raises(MailboxClosedError):
        box.get()


def test_close_wakes_a_waiting_thread() -> None:
    box: Latest[int] = Latest()
    threading.Timer(0.05, box.close).start()
    with pytest.raises(MailboxClosedError):
        box.get(timeout_s=5)


async def test_a_task_gets_what_a_thread_puts_in_order() -> None:
    box: Latest[int] = Latest()
    taken = threading.Semaphore(0)

    def put_all() -> None:
        for n in range(50):
            box.put(n)
            taken.acquire(timeout=5)
        box.close()

    thread = threading.Thread(target=put_all)
    thread.start()
    seen = []
    for _ in range(50):
        seen.append(await asyncio.wait_for(box.wait(), 5))
        taken.release()
    with pytest.raises(MailboxClosedError):
        await asyncio.wait_for(box.wait(), 5)
    thread.join()
    assert seen == list(range(50))
