import asyncio
import random
import time
from collections.abc import Callable, Sequence

import pytest

from daemon.backoff import Backoff
from daemon.errors import UsageError
from daemon.figures import Figures
from link.access_unit import AccessUnit
from link.errors import LinkError, PeerChanged, Refused, Unreachable
from link.stats import SenderStats
from streamer.carrier import CodedUnit
from streamer.send import HANDOVER_MAX, Send

NETWORK = bytes(range(8))


class FakeSession:
    """A session that takes everything, until it is told to end."""

    def __init__(self, peer_network_ids: Sequence[bytes] = (NETWORK,)) -> None:
        self.peer_network_ids = peer_network_ids
        self.sent: list[AccessUnit] = []
        self.accepts = True
        self.closed = False
        self.max_bps = 0
        self.queue = 0
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def send(self, unit: AccessUnit) -> bool:
        self.sent.append(unit)
        return self.accepts

    def set_max_bitrate(self, bitrate_bps: int) -> None:
        self.max_bps = bitrate_bps

    def stats(self) -> SenderStats:
        self.queue = max(0, self.queue - 1)
        return SenderStats(0, 0, 0, 0, 0, 12.5, 0.0, self.queue, 0, None, 0)

    async def wait_closed(self) -> str:
        return await asyncio.shield(self.ended)

    async def close(self) -> None:
        self.closed = True


class Net:
    """Stands in for `publish`: answers each attempt with the next of `answers`, then hangs."""

    def __init__(self, *answers: LinkError | Callable[[], FakeSession]) -> None:
        self.answers = list(answers)
        self.attempts = 0
        self.sessions: list[FakeSession] = []

    async def __call__(self, url: str, **options: object) -> FakeSession:
        self.attempts += 1
        if not self.answers:
            await asyncio.sleep(60)
        answer = self.answers.pop(0)
        if isinstance(answer, LinkError):
            raise answer
        self.sessions.append(answer())
        return self.sessions[-1]


class NoWait(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.001


def _send(net: Net, iraps: list[int] | None = None, token: str | None = None) -> Send:
    asked = iraps if iraps is not None else []
    return Send(
        "http://box:8889/whip",
        token,
        NETWORK,
        200_000,
        lambda: asked.append(1),
        lambda bitrate_bps: None,
        Figures(),
        publish=net,
        rng=NoWait(),
    )


def _coded(n: int = 0) -> CodedUnit:
    return CodedUnit(AccessUnit(b"\x00\x00\x01" + bytes([n]), n, n == 0), n, time.monotonic())


async def _until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in time")


async def test_units_reach_the_session_in_order_from_another_thread() -> None:
    net, iraps = Net(FakeSession), []
    send = _send(net, iraps)
    assert not send.wants
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    assert iraps == [1]
    await asyncio.to_thread(lambda: [send.put(_coded(n)) for n in range(20)])
    await _until(lambda: len(net.sessions[0].sent) == 20)
    assert [unit.rtp_timestamp for unit in net.sessions[0].sent] == list(range(20))
    assert net.sessions[0].max_bps == 200_000
    figures = send._figures.snapshot()
    assert (figures["state"], figures["frames_sent"]) == ("connected", 20)
    assert figures["peer"] == "http://box:8889/whip"
    net.sessions[0].queue = 3
    await send.finish()
    assert net.sessions[0].closed
    assert net.sessions[0].queue == 0
    run.cancel()


async def test_a_viewer_that_goes_away_is_connected_to_again_with_an_irap() -> None:
    net, iraps = Net(FakeSession, Unreachable("nobody"), Unreachable("nobody"), FakeSession), []
    send = _send(net, iraps)
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    net.sessions[0].ended.set_result("the peer is silent")
    await _until(lambda: len(net.sessions) == 2 and send.wants)
    assert net.attempts == 4
    assert iraps == [1, 1]
    run.cancel()


async def test_each_change_of_state_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    net = Net(*[Unreachable(f"try {n}") for n in range(6)], Refused(503, "busy"), FakeSession)
    with caplog.at_level("INFO"):
        send = _send(net)
        run = asyncio.ensure_future(send.run())
        await _until(lambda: send.wants)
    assert [r.getMessage() for r in caplog.records if r.name == "streamer.send"] == [
        "connecting",
        "the viewer cannot be reached: trying for ever",
        "the viewer says no: trying until it agrees",
        "connected",
    ]
    run.cancel()


@pytest.mark.parametrize(
    ("token", "words"), [("wrong", "refuses this token"), (None, "asks for a token")]
)
async def test_a_refused_token_ends_with_what_to_do(token: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}: give the viewer's with --token"):
        await _send(Net(Refused(401, "no")), token=token).run()


@pytest.mark.parametrize(
    ("error", "words"),
    [(Refused(403, "run denc-view pair"), "says no"), (PeerChanged("denc-stream forget"), "known")],
)
async def test_a_box_that_is_not_paired_waits_and_says_what_to_do(
    error: LinkError, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    send = _send(Net(error, error, FakeSession))
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    told = [r for r in caplog.records if words in r.getMessage()]
    assert len(told) == 1
    assert str(error) in getattr(told[0], "fields", {})["why"]
    run.cancel()


async def test_a_viewer_without_our_network_is_told_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net = Net(lambda: FakeSession(peer_network_ids=(bytes(8),)))
    send = _send(net)
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    told = [r.getMessage() for r in caplog.records if "no partner" in r.getMessage()]
    assert len(told) == 1
    assert "upscale plainly" in told[0]
    run.cancel()


async def test_a_stock_viewer_is_not_told_to_install_denc(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        send = _send(Net(lambda: FakeSession(peer_network_ids=())))
        run = asyncio.ensure_future(send.run())
        await _until(lambda: send.wants)
    told = [r.getMessage() for r in caplog.records if "small preview picture" in r.getMessage()]
    assert len(told) == 1
    assert not any("install" in r.getMessage() for r in caplog.records)
    run.cancel()


async def test_a_unit_that_the_queue_dropped_asks_for_an_irap() -> None:
    net, iraps = Net(FakeSession), []
    send = _send(net, iraps)
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    net.sessions[0].accepts = False
    send.put(_coded())
    await _until(lambda: len(iraps) == 2)
    assert send._figures.snapshot()["units_dropped"] == 1
    run.cancel()


async def test_an_event_loop_that_is_stuck_loses_units_but_not_memory() -> None:
    net = Net(FakeSession)
    send = _send(net)
    run = asyncio.ensure_future(send.run())
    await _until(lambda: send.wants)
    for n in range(HANDOVER_MAX + 10):  # the loop does not run in between
        send.put(_coded(n % 256))
    await _until(lambda: len(net.sessions[0].sent) == HANDOVER_MAX)
    assert send._figures.snapshot()["units_dropped"] == 10
    run.cancel()


async def test_units_before_the_first_session_go_nowhere() -> None:
    send = _send(Net(Unreachable("nobody")))
    send.put(_coded())
    await asyncio.sleep(0)
    assert "frames_sent" not in send._figures.snapshot()
    await send.finish()


def test_the_back_off_grows_from_half_a_second_to_eight_with_jitter() -> None:
    rng = random.Random(3)
    backoff = Backoff(rng)
    delays = [backoff.next_s() for _ in range(9)]
    middles = [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.6953125, 8, 8]
    for delay, middle in zip(delays, middles, strict=True):
        assert 0.75 * middle <= delay <= 1.25 * middle
    assert len(set(delays)) == 9
    backoff.reset()
    assert backoff.next_s() <= 0.625
