"""A stream with NACKs and error correction on a lossy path, in virtual time: how much it freezes.

Everything but encryption and congestion control is the real thing: SendHistory, Protection and
FecRate at one end, FecDecoder and JitterBuffer at the other; PLIs are repeated and IRAPs bounded as
MediaReceiver and MediaSender do. No clock: load of the machine, which freezes live runs, does not
count.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise

from link.fec import parse_repair
from link.fec_decoder import FecDecoder
from link.fec_rate import FecRate
from link.history import SendHistory
from link.irap_limit import IrapLimit
from link.jitter import JitterBuffer
from link.packet import MediaPacket
from link.protection import Protection, RepairPacket
from link.receiver import DENC_PLI_INTERVAL_US, IRAP_ARRIVES_US
from link.reports import RateLimit
from link.sent_log import SentLog
from link.twcc import ArrivalLog, Feedback
from tests.net.burst_loss import BurstLoss
from tests.net.knobs import Knobs

FRAME_US = 40_000
FREEZE_US = 190_000
TICK_US = 10_000
FEEDBACK_US = 50_000
SPACING_US = 1_000  # between packets of a picture
WARM_UP_US = 2_000_000
IRAP_PACKETS = 3  # for each of another picture
_VPS, _IRAP, _TRAIL = b"\x40\x01", b"\x26\x01\x80", b"\x02\x01\x80"


@dataclass(frozen=True)
class Outcome:
    """Share of time frozen and the longest freeze, repairs and retransmissions for each media
    packet, pictures shown."""

    frozen_percent: float
    longest_freeze_ms: float
    repair_share: float
    again_share: float
    shown_percent: float


def stream(
    loss: float,
    rtt_us: int,
    seconds: int,
    *,
    packets: int,
    fec: bool,
    seed: int = 1,
    burst: float | None = None,
) -> Outcome:
    """Pictures of so many packets, 25 a second; `loss` both ways, in bursts of so many packets on
    average."""
    rng, order = random.Random(seed), count()
    events: list[tuple[int, int, Callable[[int], None]]] = []
    history, log, rate = SendHistory(), SentLog(), FecRate()
    knobs = Knobs(loss_percent=100 * loss, avg_burst_loss=burst)
    there, back = BurstLoss(rng), BurstLoss(random.Random(seed))
    jitter, decoder, arrivals = JitterBuffer(eager=True), FecDecoder(), ArrivalLog()
    jitter.set_rtt(rtt_us)
    history.set_rtt(rtt_us)
    plis = RateLimit(DENC_PLI_INTERVAL_US)
    iraps = IrapLimit()
    shares = rate.share if fec else (lambda rtt, pps: 0.0)
    protection = Protection(lambda pps: shares(rtt_us, pps), 0)
    sequence = again = repaired = pictures = 0
    irap_wanted, is_frozen = True, False
    shown: list[int] = []

    def at(time_us: int, act: Callable[[int], None]) -> None:
        heapq.heappush(events, (time_us, next(order), act))

    def travel(now_us: int, arrive: Callable[[int], None], way: BurstLoss) -> None:
        if not way.takes(knobs):
            at(now_us + rtt_us // 2, arrive)

    def send(item: MediaPacket | RepairPacket, now_us: int) -> None:
        number = log.add(1000, now_us)
        travel(now_us, lambda then: receive(item, number, then), there)

    def picture(now_us: int) -> None:
        nonlocal sequence, repaired, irap_wanted, pictures
        queue: list[MediaPacket | RepairPacket] = []
        size = packets * (IRAP_PACKETS if irap_wanted else 1)
        for place in range(size):
            head = (_IRAP if place else _VPS) if irap_wanted else _TRAIL
            payload = head + rng.randbytes(40)
            timestamp = now_us // FRAME_US * 3600
            packet = MediaPacket(sequence & 0xFFFF, timestamp, place == size - 1, payload)
            sequence += 1
            history.add(packet, now_us)
            queue += [packet, *protection.add(packet, now_us)]
        repaired += len(queue) - size
        irap_wanted = False
        pictures += 1
        for place, item in enumerate(queue):
            at(now_us + place * SPACING_US, lambda then, item=item: send(item, then))
        if now_us < seconds * 1_000_000:
            at(now_us + FRAME_US, picture)

    def receive(item: MediaPacket | RepairPacket, number: int, now_us: int) -> None:
        arrivals.add(number & 0xFFFF, now_us)
        if isinstance(item, MediaPacket):
            jitter.add(item, now_us)
            found = decoder.add(item)
        else:
            repair = parse_repair(item.number, item.payload)
            found = decoder.add_repair(repair)
        for packet in found:
            jitter.add(packet, now_us, restored=True)
        if isinstance(item, RepairPacket):
            jitter.on_repair(repair.base, repair.count, item.timestamp, now_us)
        put_out(now_us)

    def put_out(now_us: int) -> None:
        nonlocal is_frozen
        while (unit := jitter.pop(now_us)) is not None:
            is_frozen = (is_frozen or unit.gap_before) and not unit.irap
            if not is_frozen:
                shown.append(now_us)
        asked = jitter.missing(now_us)
        if asked:
            travel(now_us, lambda then: resend(asked, then), back)
        arrives = jitter.irap_us is not None and now_us - jitter.irap_us < IRAP_ARRIVES_US
        if jitter.irap_wanted and not arrives and plis.allow(now_us):
            travel(now_us, pli, back)

    def pli(now_us: int) -> None:
        nonlocal irap_wanted
        irap_wanted = irap_wanted or iraps.allow(now_us, rtt_us)

    def resend(asked: list[int], now_us: int) -> None:
        nonlocal again
        for place, number in enumerate(asked):
            packet = history.get(number, now_us)
            if packet is not None:
                again += 1
                at(now_us + place * SPACING_US, lambda then, packet=packet: send(packet, then))

    def tick(now_us: int) -> None:
        put_out(now_us)
        feedback = arrivals.take() if now_us % FEEDBACK_US == 0 else None
        if feedback is not None:
            travel(now_us, lambda then: told(feedback), back)
        at(now_us + TICK_US, tick)

    def told(feedback: Feedback) -> None:
        rate.on_fates(log.match(feedback))

    at(0, picture)
    at(0, tick)
    while events[0][0] < seconds * 1_000_000:
        time_us, _, act = heapq.heappop(events)
        act(time_us)
    gaps = [b - a for a, b in pairwise(shown) if a > WARM_UP_US]
    frozen = sum(gap for gap in gaps if gap > FREEZE_US)
    return Outcome(
        100 * frozen / (seconds * 1_000_000 - WARM_UP_US),
        max((gap for gap in gaps if gap > FREEZE_US), default=0) / 1000,
        repaired / sequence,
        again / sequence,
        100 * len(shown) / pictures,
    )
