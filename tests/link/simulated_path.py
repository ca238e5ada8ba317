"""A sender's congestion control on a simulated path: no sockets, no clock, a second takes a blink.

Pictures of the target's size leave in packets, paced; the path has a capacity, a bounded queue, a
delay with jitter and random loss; the receiver's feedback goes back every 50 ms, or what a peer
says that speaks only REMB.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiortc.rtp import RtpPacket, unpack_remb_fci

from link.congestion import Bounds, CongestionControl
from link.header_extensions import send_time
from link.probing import Probing
from link.remb import OUTER_BYTES, RembEstimator
from link.sent_log import SentLog
from link.twcc import ArrivalLog, Feedback
from tests.net.burst_loss import BurstLoss
from tests.net.knobs import Knobs

STEP_US = 1_000
FPS = 25
PACKET_BYTES = 1_200
FEEDBACK_US = 50_000
REPORT_US = 1_000_000
OVERTAKEN_US = 60_000
CLOCK_OFFSET_US = 7_000_000_000  # of the receiver


@dataclass(frozen=True)
class Blink:
    every_us: int
    length_us: int
    first_us: int = 5_000_000

    def is_on(self, now_us: int) -> bool:
        return now_us >= self.first_us and (now_us - self.first_us) % self.every_us < self.length_us


class Policer:
    """Drops, without a queue, what is over `rate_bps` once its bucket is empty."""

    def __init__(self, rate_bps: float, bucket_bytes: int) -> None:
        self._rate_bps, self._bucket_bytes = rate_bps, bucket_bytes
        self._level = float(bucket_bytes)
        self._at_us = 0

    def takes(self, size_bytes: int, now_us: int) -> bool:
        self._level += (now_us - self._at_us) * self._rate_bps / 8e6
        self._level, self._at_us = min(self._level, self._bucket_bytes), now_us
        if self._level < size_bytes:
            return False
        self._level -= size_bytes
        return True


@dataclass
class Path:
    capacity_bps: float
    one_way_us: int = 50_000
    queue_bytes: int = 1 << 20
    loss: float = 0.0
    burst: float | None = None  # mean length of losses, packets
    jitter_us: int = 0
    dark: bool = False
    dark_each: Blink | None = None
    stalled_each: Blink | None = None  # nothing leaves it, then all at once
    policer: Policer | None = None
    overtaken: float = 0.0  # share of the packets that OVERTAKEN_US more are held up
    feedback_loss: float = 0.0

    def is_dark(self, now_us: int) -> bool:
        return self.dark or (self.dark_each is not None and self.dark_each.is_on(now_us))


class RembPeer:
    """A receiver without transport-wide feedback: REMB, and reports of what was lost."""

    def __init__(self, control: CongestionControl) -> None:
        self._control, self._estimator = control, RembEstimator()
        self._back: deque[tuple[int, Callable[[int], None]]] = deque()
        self._received = self._expected = self._newest = 0

    def arrived(self, number: int, size: int, sent_us: int, now_us: int) -> None:
        packet = RtpPacket(payload=bytes(max(size - OUTER_BYTES, 0)))
        packet.extensions.abs_send_time = send_time(sent_us)
        self._estimator.add(packet, now_us + CLOCK_OFFSET_US)
        self._received += 1
        self._newest = max(self._newest, number)

    def tick(self, now_us: int, one_way_us: int) -> None:
        """Says what there is to say, and lets the sender hear what has come."""
        remb = self._estimator.take(1, 2)
        if remb is not None:
            bitrate_bps = unpack_remb_fci(remb.fci)[0]
            self._say(now_us + one_way_us, lambda _: self._control.on_remb(bitrate_bps))
        if now_us % REPORT_US == 0 and self._newest > self._expected:
            lost = 1 - self._received / (self._newest - self._expected)
            self._received, self._expected = 0, self._newest
            self._say(now_us + one_way_us, lambda then: self._control.on_report(max(0, lost), then))
        while self._back and self._back[0][0] <= now_us:
            self._back.popleft()[1](now_us)

    def _say(self, arrives_us: int, tell: Callable[[int], None]) -> None:
        self._back.append((arrives_us, tell))


@dataclass(frozen=True)
class Second:
    """Means of one second of the run; `queue_us` is the largest."""

    target_bps: float
    arrived_bps: float
    sent_bps: float
    queue_us: float


def run(
    path: Path,
    seconds: int,
    *,
    start_bps: int = 300_000,
    bounds: Bounds = Bounds(30_000, 2_000_000),  # noqa: B008 - frozen
    change: Callable[[int, Path], None] = lambda second, path: None,
    seed: int = 1,
    probes: bool = True,
    remb: bool = False,
) -> list[Second]:
    """`change(second, path)` may alter the path at the beginning of each second. `remb`: the peer
    knows no transport-wide feedback."""
    rng = random.Random(seed)
    control, log, probing = CongestionControl(start_bps, bounds), SentLog(), Probing()
    arrivals, remb_peer = ArrivalLog(), RembPeer(control)
    losses = BurstLoss(rng)
    local: deque[int] = deque()  # sizes that wait for the pacer
    on_the_way: list[tuple[int, int, int, int]] = []  # arrival, number, size, when it left
    back: list[tuple[int, Feedback]] = []
    queue_free_us = 0.0  # when the bottleneck will have sent all that it holds
    tokens = 0.0
    result: list[Second] = []
    arrived = sent = 0
    worst = 0.0
    for now in range(0, seconds * 1_000_000, STEP_US):
        if now % 1_000_000 == 0:
            change(now // 1_000_000, path)
        if now % (1_000_000 // FPS) == 0:
            picture = int(control.target_bps * 0.95 / 8 / FPS)
            while picture > 0:
                local.append(min(picture, PACKET_BYTES))
                picture -= PACKET_BYTES
        may_probe = probes and not remb and control.is_free and now > 300_000
        if may_probe and probing.is_due(now, control.decreased_us):
            probing.begin(control.target_bps, bounds.most_bps, now)
        rate = max(2.5 * control.target_bps, probing.rate_bps or 0)
        tokens = min(tokens + rate * STEP_US / 8e6, 2_400)
        while tokens > 0 and (local or probing.rate_bps):
            size = local.popleft() if local else PACKET_BYTES
            tokens -= size
            number = log.add(size, now)
            probing.sent(number, size)
            sent += size
            queued_us = max(0.0, queue_free_us - now)
            worst = max(worst, queued_us)
            is_lost = losses.takes(Knobs(loss_percent=100 * path.loss, avg_burst_loss=path.burst))
            if path.is_dark(now) or is_lost:
                continue
            if path.policer is not None and not path.policer.takes(size, now):
                continue
            if queued_us * path.capacity_bps / 8e6 + size > path.queue_bytes:
                continue
            stalled = path.stalled_each
            begin_us = max(queue_free_us, now)
            while stalled is not None and stalled.is_on(round(begin_us)):
                begin_us += STEP_US
            queue_free_us = begin_us + size * 8e6 / path.capacity_bps
            jitter = abs(round(rng.gauss(0, path.jitter_us)))
            jitter += OVERTAKEN_US * (rng.random() < path.overtaken)
            on_the_way.append((round(queue_free_us) + path.one_way_us + jitter, number, size, now))
        for item in sorted(on_the_way):
            if item[0] > now:
                break
            on_the_way.remove(item)
            arrivals.add(item[1] & 0xFFFF, item[0] + CLOCK_OFFSET_US)
            if remb:
                remb_peer.arrived(item[1], item[2], item[3], item[0])
            arrived += item[2]
        if remb:
            remb_peer.tick(now, path.one_way_us)
        feedback = arrivals.take() if not remb and now % FEEDBACK_US == 0 else None
        lost = path.is_dark(now) or rng.random() < path.feedback_loss
        if feedback is not None and not lost:
            back.append((now + path.one_way_us, feedback))
        while back and back[0][0] <= now:
            fates = log.match(back.pop(0)[1])
            control.on_fates(fates, now)
            found = probing.on_fates(fates, now)
            if found is not None:
                control.on_probed(found.rate_bps, full=found.full)
        control.on_tick(None if remb else log.under_way(), now)
        if (now + STEP_US) % 1_000_000 == 0:
            result.append(Second(control.target_bps, arrived * 8, sent * 8, worst))
            arrived = sent = 0
            worst = 0.0
    return result
