"""What the sender may add to its media."""

from link.path_control import PathControl
from link.twcc import Feedback


def path() -> PathControl:
    return PathControl(1_000_000, has_feedback=True, may_probe=True)


def test_retransmissions_and_repairs_take_no_more_than_the_target() -> None:
    control = path()
    sent = sum(1_000 for _ in range(1_000) if control.may_add(1_000, 0))
    assert sent <= control.target_bps / 8  # at once: of one second
    for now_us in range(0, 10_000_000, 1_000):
        sent += 1_000 * control.may_add(1_000, now_us)
    assert 9 < sent / (control.target_bps / 8) <= 11.1


def test_where_hardly_a_picture_fits_there_are_no_repairs() -> None:
    control = path()
    for number in range(200):
        control.sent(1_000, 900, number * 10_000)
        lost = number % 10 == 3
        control.on_feedback(
            Feedback(number, number & 0xFF, (None if lost else number * 10_000,)),
            number * 10_000 + 100_000,
        )
    assert control.fec_share(100) > 0
    control.set_most(0)  # the target goes down to the room for headers
    assert control.target_bps == 40_000
    assert control.fec_share(100) == 0
