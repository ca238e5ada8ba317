"""Which losses count: not those of outages, nor what was only overtaken."""

from link.loss_log import LossLog, loss_of
from link.sent_log import Fate, SentPacket

STEP_US = 10_000


def told(outcomes: str, first: int = 0) -> list[Fate]:
    """`x` was lost, `.` came; 10 ms apart."""
    packets = [SentPacket(n, 100, n * STEP_US) for n in range(first, first + len(outcomes))]
    return [
        Fate(p, None if o == "x" else p.sent_us) for p, o in zip(packets, outcomes, strict=True)
    ]


def shown(log: LossLog) -> str:
    return "".join("x" if outcome.is_lost else "." for outcome in log.counted())


def test_losses_count_and_outages_do_not() -> None:
    log = LossLog(window_us=10_000_000)
    log.add(told(".x..xx." + 24 * "x" + "..x." + 20 * "x" + "."))
    assert shown(log) == ".x..xx." + "..x." + 20 * "x" + "."  # 240 and 200 ms: 250 are an outage


def test_where_packets_are_few_one_or_two_are_no_outage() -> None:
    log = LossLog(window_us=10_000_000)
    packets = [SentPacket(n, 100, n * 200_000) for n in range(6)]
    log.add([Fate(p, None if n in (1, 3, 4) else 0) for n, p in enumerate(packets)])
    assert shown(log) == ".x.xx."


def test_an_outage_leaves_the_window_as_a_whole() -> None:
    log = LossLog(window_us=1_000_000)
    log.add(told("." + 60 * "x" + 60 * "."))
    for at in range(121, 200):
        log.add(told(".", first=at))
        assert "x" not in shown(log)


def test_a_longer_window_where_packets_are_few() -> None:
    log = LossLog(window_us=50_000, packets=20)
    log.add(told(30 * "."))
    assert len(log) == 20


def test_what_was_only_overtaken_is_taken_back() -> None:
    log = LossLog(window_us=1_000_000)
    log.add(told("..x.x."))
    late = told("..x", first=0)[2].packet
    log.add([Fate(late, 90_000, was_lost=True)])
    assert shown(log) == "....x."


def test_bursts_of_losses_tell_less_than_the_same_number_alone() -> None:
    def measured(outcomes: str) -> tuple[float, float]:
        log = LossLog(window_us=10_000_000)
        log.add(told(outcomes))
        return loss_of(log.counted())

    share, surely = measured(20 * "x....")
    assert share == 0.2
    assert 0.15 < surely < 0.16
    share, surely = measured(40 * "." + 20 * "x" + 40 * ".")
    assert share == 0.2
    assert surely == 0.0  # one event
    assert measured(20 * ".") == (0.0, 0.0)
