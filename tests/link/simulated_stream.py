"""A stream with NACKs and error correction on a lossy path, in virtual time: how much it freezes.

Everything but encryption and congestion control is the real thing: SendHistory, Protection and
FecRate at one end, FecDecoder and JitterBuffer at the other. No clock: load of the machine, which
freezes live runs, does not count.
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
from link.jitter import JitterBuffer
from link.packet import MediaPacket
from link.protection import Protection, RepairPacket
from link.sent_log import SentLog
from link.twcc import ArrivalLog, Feedback

FRAME_US = 40_000
FREEZE_US = 190_000
TICK_US = 10_000
FEEDBACK_US = 50_000
SPACING_US = 1_000  # between packets of a picture
WARM_UP_US = 2_000_000
_VPS, _IRAP, _TRAIL = b"\x40\x01", b"\x26\x01\x80", b"\x02\x01\x80"


@dataclass(frozen=True)
class Outcome:
    """Share of time frozen, repairs and retransmissions for each media packet, pictures shown."""

    frozen_percent: float
    repair_share: float
    again_share: float
    shown_percent: float


def stream(
    loss: float, rtt_us: int, seconds: int, *, packets: int, fec: bool, seed: int = 1
) -> Outcome:
    """Pictures of so many packets, 25 a second; `loss` both ways."""
    rng, order = random.Random(seed), count()
    events: list[tuple[int, int, Callable[[int], None]]] = []
    history, log, rate = SendHistory(), SentLog(), FecRate()
    jitter, decoder, arrivals = JitterBuffer(), FecDecoder(), ArrivalLog()
    jitter.set_rtt(rtt_us)
    shares = rate.share if fec else (lambda rtt, pps: 0.0)
    protection = Protection(lambda pps: shares(rtt_us, pps), 0)
    sequence = again = repaired = 0
    shown: list[int] = []

    def at(time_us: int, act: Callable[[int], None]) -> None:
        heapq.heappush(events, (time_us, next(order), act))

    def travel(now_us: int, arrive: Callable[[int], None]) -> None:
        if rng.random() >= loss:
            at(now_us + rtt_us // 2, arrive)

    def send(item: MediaPacket | RepairPacket, now_us: int) -> None:
        number = log.add(1000, now_us)
        travel(now_us, lambda then: receive(item, number, then))

    def picture(now_us: int) -> None:
        nonlocal sequence, repaired
        index, queue = now_us // FRAME_US, []
        for place in range(packets):
            head = _TRAIL if index else (_VPS if not place else _IRAP)
            payload = head + rng.randbytes(40)
            packet = MediaPacket(sequence & 0xFFFF, index * 3600, place == packets - 1, payload)
            sequence += 1
            history.add(packet, now_us)
            queue += [packet, *protection.add(packet, now_us)]
        repaired += len(queue) - packets
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
        while jitter.pop(now_us) is not None:
            shown.append(now_us)
        asked = jitter.missing(now_us)
        if asked:
            travel(now_us, lambda then: resend(asked, then))

    def resend(asked: list[int], now_us: int) -> None:
        nonlocal again
        for number in asked:
            packet = history.get(number, now_us)
            if packet is not None:
                again += 1
                send(packet, now_us)

    def tick(now_us: int) -> None:
        put_out(now_us)
        feedback = arrivals.take() if now_us % FEEDBACK_US == 0 else None
        if feedback is not None:
            travel(now_us, lambda then: told(feedback))
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
    pictures = sequence / packets
    return Outcome(
        100 * frozen / (seconds * 1_000_000 - WARM_UP_US),
        repaired / sequence,
        again / sequence,
        100 * len(shown) / pictures,
    )
