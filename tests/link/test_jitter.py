"""The jitter buffer as one sees it from outside: packets in, access units and NACKs out."""

import random
import signal
import time
from contextlib import contextmanager
from itertools import pairwise

import pytest
from h265_units import FRAME_TICKS, FRAME_US, annexb, nal, packets_of, picture, pictures
from hypothesis import given, settings
from hypothesis import strategies as st

from link.jitter import GRACE_US, JitterBuffer
from link.nack import AGAIN_US, MIN_RETRY_US
from link.nal import NalType
from link.packet import MediaPacket

BUDGET_US = 400_000
GIVEN_UP_US = BUDGET_US + GRACE_US


def pop_all(buffer, now_us):
    units = []
    while (unit := buffer.pop(now_us)) is not None:
        units.append(unit)
    return units


def feed(buffer, packets, now_us=0, step_us=0):
    """Adds packets `step_us` apart and takes what comes out at once."""
    units = []
    for packet in packets:
        buffer.add(packet, now_us)
        units += pop_all(buffer, now_us)
        now_us += step_us
    return units


def flat(units_packets):
    return [packet for packets in units_packets for packet in packets]


def data_of(units):
    return [unit.data for unit in units]


def test_an_access_unit_comes_out_on_its_marker_and_not_one_frame_late():
    stream = pictures([3000, 3000, 300])
    buffer = JitterBuffer()
    for number, packets in enumerate(packets_of(stream)):
        assert feed(buffer, packets[:-1], now_us=number * FRAME_US) == []
        (unit,) = feed(buffer, packets[-1:], now_us=number * FRAME_US + 7)
        assert unit.data == annexb(stream)[number]
        assert unit.rtp_timestamp == number * FRAME_TICKS
        assert unit.irap == (number == 0)
        assert unit.received_us == number * FRAME_US + 7
        assert not unit.gap_before
    assert not buffer.irap_wanted
    assert buffer.held_packets == buffer.held_bytes == 0


@pytest.mark.parametrize("sequence", [0, 0xFFFE, 0xFFF0])
@pytest.mark.parametrize("timestamp", [0, 0xFFFFFFFF - 2 * FRAME_TICKS])
def test_sequence_and_timestamp_wraps_go_unnoticed(sequence, timestamp):
    stream = pictures([2500] * 12)
    packets = packets_of(stream, sequence=sequence, timestamp=timestamp)
    units = feed(JitterBuffer(), flat(packets), step_us=1000)
    assert data_of(units) == annexb(stream)
    assert not any(unit.gap_before for unit in units)


def test_many_turns_of_the_sequence_number_go_unnoticed():
    payload = picture(1)[0]
    buffer = JitterBuffer()
    feed(buffer, flat(packets_of(pictures([300]))))
    for number in range(4, 150_000, 701):
        start = (number - 350) & 0xFFFF
        buffer.add(MediaPacket(start, number, True, payload), number)
        buffer.add(MediaPacket(number & 0xFFFF, number, True, payload), number)
        pop_all(buffer, number + GIVEN_UP_US)
    assert buffer.counts.restarts == 0
    assert buffer.counts.units > 400


def test_duplicates_change_nothing():
    stream = pictures([3000] * 6)
    packets = flat(packets_of(stream))
    doubled = [packet for packet in packets for _ in range(2)]
    buffer = JitterBuffer()
    assert data_of(feed(buffer, doubled + packets)) == annexb(stream)
    counts = buffer.counts
    assert counts.packets_duplicate + counts.packets_late == 2 * len(packets)
    assert counts.units_lost == 0


@settings(max_examples=60)
@given(st.lists(st.integers(10, 4000), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_reordering_by_up_to_20_packets_is_bit_identical_to_the_clean_run(sizes, rng):
    """From the very first packet on, duplicates among them; no second IRAP overtakes the first."""
    stream = pictures(sizes, iraps=range(0, len(sizes), 21))
    packets = flat(packets_of(stream, sequence=65_500))
    shuffled = sorted(enumerate(packets), key=lambda item: item[0] + rng.uniform(0, 20))
    arriving = [packet for _, packet in shuffled for _ in range(1 + (rng.random() < 0.05))]
    buffer = JitterBuffer()
    units = feed(buffer, arriving, step_us=2_000)
    assert data_of(units) == annexb(stream)
    assert not any(unit.gap_before for unit in units)
    assert buffer.counts.units_lost == 0
    assert buffer.held_packets == 0


@settings(max_examples=60)
@given(
    st.lists(st.integers(10, 5000), min_size=2, max_size=25),
    st.sampled_from([0.05, 0.2, 0.5]),
    st.randoms(use_true_random=False),
)
def test_under_loss_whatever_comes_out_is_whole_and_in_order(sizes, loss, rng):
    stream = pictures(sizes, iraps=range(0, len(sizes), 6))
    packets = packets_of(stream, sequence=65_520)
    buffer = JitterBuffer()
    units = []
    for number, of_unit in enumerate(packets):
        kept = [packet for packet in of_unit if rng.random() >= loss]
        units += feed(buffer, kept, now_us=number * FRAME_US)
    units += pop_all(buffer, len(packets) * FRAME_US + BUDGET_US)
    numbers = [unit.rtp_timestamp // FRAME_TICKS for unit in units]
    assert numbers == sorted(set(numbers))
    assert data_of(units) == [annexb(stream)[number] for number in numbers]
    gaps = [later - earlier > 1 for earlier, later in pairwise(numbers)]
    assert [unit.gap_before for unit in units][1:] == gaps


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_fragment_drops_only_its_access_unit(lost):
    stream = pictures([3000, 3000, 3000, 3000])
    packets = packets_of(stream)
    assert len(packets[1]) == 3
    del packets[1][lost]
    buffer = JitterBuffer()
    assert data_of(feed(buffer, flat(packets))) == annexb(stream)[:1]
    assert not buffer.irap_wanted
    assert pop_all(buffer, BUDGET_US - 1) == []
    assert not buffer.irap_wanted
    assert pop_all(buffer, GIVEN_UP_US - 1) == []
    assert buffer.irap_wanted
    units = pop_all(buffer, GIVEN_UP_US)
    assert data_of(units) == annexb(stream)[2:]
    assert [unit.gap_before for unit in units] == [True, False]
    assert buffer.irap_wanted
    assert (buffer.counts.units_lost, buffer.counts.packets_lost) == (1, 1)


def test_a_lost_unit_of_one_packet_drops_only_itself():
    stream = pictures([300] * 5)
    packets = flat(packets_of(stream))
    assert len(packets) == 5
    del packets[2]
    buffer = JitterBuffer()
    assert len(feed(buffer, packets)) == 2
    units = pop_all(buffer, GIVEN_UP_US)
    assert data_of(units) == annexb(stream)[3:]
    assert units[0].gap_before


def test_an_irap_clears_the_wish_for_one():
    stream = pictures([300] * 6, iraps=(0, 4))
    packets = packets_of(stream)
    del packets[2]
    buffer = JitterBuffer()
    feed(buffer, flat(packets[:3]))
    pop_all(buffer, BUDGET_US)
    assert buffer.irap_wanted
    feed(buffer, flat(packets[3:]), now_us=BUDGET_US)
    assert not buffer.irap_wanted


def test_an_irap_whose_parameter_sets_fell_into_a_hole_stays_inside():
    stream = pictures([3000, 3000, 3000, 300, 3000], iraps=(0, 2, 4))
    packets = packets_of(stream)
    torn = [*packets[0], *packets[1][:2], *packets[2][1:], *flat(packets[3:])]
    buffer = JitterBuffer()
    feed(buffer, torn)
    units = pop_all(buffer, BUDGET_US)  # the last is an IRAP, and here
    assert data_of(units) == annexb(stream)[3:]


def test_what_is_overdue_is_asked_for_until_it_or_an_irap_comes():
    stream = pictures([300] * 12, iraps=(0, 9))
    packets = packets_of(stream)
    lost, irap, rest = packets.pop(3)[0], packets[8:9], packets[9:]
    for comes in ("what was lost", "an IRAP"):
        buffer = JitterBuffer(eager=True)
        feed(buffer, flat(packets[:8]))
        buffer.missing(BUDGET_US)
        assert pop_all(buffer, BUDGET_US) == []
        assert buffer.irap_wanted
        assert buffer.missing(BUDGET_US + MIN_RETRY_US) == [lost.sequence]
        if comes == "what was lost":
            units = feed(buffer, [lost], BUDGET_US + 50_000)
            assert data_of(units) == annexb(stream)[3:9]
            assert not any(unit.gap_before for unit in units)
        else:
            units = feed(buffer, flat(irap), BUDGET_US + 50_000)
            assert data_of(units) == annexb(stream)[4:10]
            assert units[0].gap_before
            assert data_of(feed(buffer, flat(rest), BUDGET_US + 60_000)) == annexb(stream)[10:]
        assert not buffer.irap_wanted


def test_an_irap_that_is_here_does_not_cut_the_time_of_what_may_still_come():
    stream = pictures([300] * 8, iraps=(0, 5))
    packets = packets_of(stream)
    lost = packets.pop(3)[0]
    buffer = JitterBuffer()
    feed(buffer, flat(packets))
    assert pop_all(buffer, BUDGET_US - 1) == []
    assert data_of(feed(buffer, [lost], BUDGET_US - 1)) == annexb(stream)[3:]


def test_a_missing_packet_that_comes_back_repairs_its_unit():
    stream = pictures([3000] * 3)
    packets = flat(packets_of(stream))
    lost = packets.pop(5)
    buffer = JitterBuffer()
    feed(buffer, packets)
    assert buffer.missing(0) == [lost.sequence]
    units = feed(buffer, [lost], now_us=110_000)
    assert data_of(units) == annexb(stream)[1:]
    assert not any(unit.gap_before for unit in units)
    assert units[0].received_us == 110_000
    assert buffer.counts.packets_recovered == 1
    assert buffer.missing(1_000_000) == []


@pytest.mark.parametrize("seed", range(5))
def test_at_20_percent_loss_nacks_within_the_budget_bring_every_unit_back(seed):
    """Round trip 50 ms; NACKs, retransmissions and copies are lost alike. The ends are spared."""
    rng = random.Random(seed)
    stream = pictures([4000] * 50)
    units_packets = packets_of(stream, sequence=65_450)
    sent = {packet.sequence: packet for packet in flat(units_packets)}
    arrivals = [
        (number * FRAME_US, packet)
        for number, packets in enumerate(units_packets)
        for packet in packets
        if number in (0, 49) or rng.random() >= 0.2
    ]
    buffer = JitterBuffer()
    buffer.set_rtt(50_000)
    units = []
    for now_us in range(0, 50 * FRAME_US + BUDGET_US, 5_000):
        arrived = [packet for at_us, packet in arrivals if at_us == now_us]
        units += feed(buffer, arrived, now_us)
        arrivals += [
            (now_us + 50_000, sent[sequence])
            for sequence in buffer.missing(now_us)
            if rng.random() >= 0.36
        ]
    assert data_of(units) == annexb(stream)
    assert buffer.counts.packets_recovered > 20


def test_nacks_are_repeated_every_rtt_a_bounded_number_of_times():
    packets = flat(packets_of(pictures([3000, 3000]), sequence=0xFFFD))
    del packets[4]
    buffer = JitterBuffer(max_nacks=4)
    buffer.set_rtt(30_000)
    feed(buffer, packets)
    asked = [now for now in range(0, BUDGET_US, 1000) if buffer.missing(now) == [1]]
    assert asked == [0, AGAIN_US, AGAIN_US + 30_000, AGAIN_US + 60_000]


def test_a_long_way_gets_the_time_for_a_second_nack():
    stream = pictures([3000] * 3)
    packets = flat(packets_of(stream))
    lost = packets.pop(5)
    buffer = JitterBuffer()
    buffer.set_rtt(600_000)
    feed(buffer, packets)
    assert buffer.missing(0) == buffer.missing(AGAIN_US) == [lost.sequence]
    assert buffer.missing(AGAIN_US + 600_000) == [lost.sequence]
    assert pop_all(buffer, BUDGET_US + 1) == []
    units = feed(buffer, [lost], now_us=1_250_000)
    assert data_of(units) == annexb(stream)[1:]


def test_after_an_outage_nothing_is_waited_for_but_an_irap():
    stream = pictures([300] * 60)
    packets = packets_of(stream)
    buffer = JitterBuffer()
    feed(buffer, flat(packets[:5]))
    (unit,) = feed(buffer, packets[55], now_us=2_000_000)
    assert buffer.missing(2_010_000) == []
    assert unit.gap_before
    assert buffer.irap_wanted


def test_before_the_first_irap_nothing_comes_out_and_one_is_wanted():
    stream = pictures([300] * 8, iraps=(5,))
    packets = packets_of(stream)
    buffer = JitterBuffer()
    assert feed(buffer, flat(packets[:5]), step_us=FRAME_US) == []
    assert buffer.irap_wanted
    units = feed(buffer, flat(packets[5:]), now_us=5 * FRAME_US)
    assert data_of(units) == annexb(stream)[5:]
    assert not units[0].gap_before
    assert not buffer.irap_wanted
    assert buffer.held_packets == 0


def test_a_first_irap_that_takes_long_to_arrive_is_not_asked_for_again():
    packets = flat(packets_of(pictures([60_000])))
    buffer = JitterBuffer()
    feed(buffer, packets[:-1], step_us=20_000)
    assert not buffer.irap_wanted
    assert len(feed(buffer, packets[-1:], now_us=2_000_000)) == 1


def test_a_first_irap_with_a_hole_is_given_up_and_asked_for():
    packets = flat(packets_of(pictures([6000, 300])))
    del packets[2]
    buffer = JitterBuffer()
    assert feed(buffer, packets) == []
    assert pop_all(buffer, BUDGET_US) == []
    assert buffer.irap_wanted


def test_an_irap_behind_an_access_unit_delimiter_is_a_start():
    unit = [nal(NalType.AUD, 3), *picture(0, irap=True)]
    plain = [nal(NalType.AUD, 3), *picture(1)]
    buffer = JitterBuffer()
    units = feed(buffer, flat(packets_of([plain, unit, plain])))
    assert data_of(units) == annexb([unit, plain])


def test_access_units_of_more_than_500_packets_come_out_whole():
    stream = pictures([700 * 1190, 300, 900 * 1190], iraps=(0, 2))
    packets = flat(packets_of(stream, sequence=65_000))
    units = feed(JitterBuffer(), packets, step_us=10)
    assert data_of(units) == annexb(stream)


def test_padding_packets_belong_to_no_unit():
    stream = pictures([300] * 3)
    packets, sequence = [], 0
    for number, of_unit in enumerate(packets_of(stream)):
        for packet in of_unit:
            packets.append(MediaPacket(sequence, packet.timestamp, packet.marker, packet.payload))
            sequence += 1
        packets.append(MediaPacket(sequence, number * FRAME_TICKS, False, b""))
        sequence += 1
    buffer = JitterBuffer()
    units = feed(buffer, packets)
    assert data_of(units) == annexb(stream)
    assert not any(unit.gap_before for unit in units)


def test_a_sender_that_forgets_the_marker_is_understood():
    stream = pictures([3000] * 4)
    packets = [
        MediaPacket(packet.sequence, packet.timestamp, False, packet.payload)
        for packet in flat(packets_of(stream))
    ]
    assert data_of(feed(JitterBuffer(), packets)) == annexb(stream)[:3]


def test_a_malformed_unit_is_lost_and_the_next_one_comes():
    stream = pictures([300] * 4)
    packets = flat(packets_of(stream))
    packets[2] = MediaPacket(packets[2].sequence, packets[2].timestamp, True, b"\x62\1\xd3\xaa")
    units = feed(JitterBuffer(), packets)
    assert data_of(units) == annexb([stream[0], stream[1], stream[3]])
    assert [unit.gap_before for unit in units] == [False, False, True]


@pytest.mark.parametrize("jump", [3_000, 20_000, 40_000, 62_000])
def test_a_big_sequence_jump_is_a_restart(jump):
    stream = pictures([3000] * 3)
    buffer = JitterBuffer()
    feed(buffer, flat(packets_of(stream)))
    again = flat(packets_of(stream, sequence=jump, timestamp=3_000_000_000))
    units = feed(buffer, again)
    assert data_of(units) == annexb(stream)
    assert units[0].gap_before
    assert buffer.counts.restarts == 1


def test_after_a_restart_an_irap_is_waited_for():
    buffer = JitterBuffer()
    feed(buffer, flat(packets_of(pictures([3000] * 3))))
    again = flat(packets_of(pictures([3000] * 3, iraps=()), sequence=30_000, timestamp=7))
    assert feed(buffer, again) == []
    assert buffer.irap_wanted


def test_one_stray_packet_is_no_restart():
    stream = pictures([3000] * 4)
    packets = flat(packets_of(stream))
    stray = MediaPacket(30_000, 5_000_000, True, picture(9)[0])
    buffer = JitterBuffer()
    units = feed(buffer, [*packets[:5], stray, *packets[5:9], stray, *packets[9:]])
    assert data_of(units) == annexb(stream)
    assert buffer.counts.restarts == 0


def test_packets_retransmitted_far_too_late_are_no_restart():
    buffer = JitterBuffer(max_packets=64)
    packets = flat(packets_of(pictures([300] * 200)))
    feed(buffer, packets)
    feed(buffer, packets[20:30])
    assert buffer.counts.restarts == 0
    assert buffer.counts.packets_late == 10


def test_memory_is_bounded_in_packets_and_the_oldest_unit_goes():
    stream = pictures([300] * 40, iraps=range(0, 40, 10))
    packets = packets_of(stream)
    buffer = JitterBuffer(max_packets=12)
    feed(buffer, flat(packets[:2]))
    for packet in flat(packets[3:]):
        buffer.add(packet, 1)
        assert buffer.held_packets <= 12
    units = pop_all(buffer, 2)
    assert data_of(units) == annexb(stream)[-len(units) :]
    assert units[0].gap_before


def test_memory_is_bounded_in_bytes():
    buffer = JitterBuffer(max_bytes=10_000)
    for packet in flat(packets_of(pictures([5000] * 20))):
        buffer.add(packet, 0)
        assert buffer.held_bytes <= 10_000
    buffer.add(MediaPacket(500, 0, True, bytes(20_000)), 0)
    assert buffer.held_bytes <= 10_000


def test_a_unit_larger_than_the_buffer_is_lost_and_the_stream_goes_on():
    stream = pictures([300, 40_000, 300, 300])
    buffer = JitterBuffer(max_packets=20)
    units = feed(buffer, flat(packets_of(stream)), step_us=100)
    units += pop_all(buffer, BUDGET_US)
    assert data_of(units) == annexb([stream[0], stream[2], stream[3]])
    assert [unit.gap_before for unit in units] == [False, True, False]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_any_packets_are_survived_within_the_bounds(seed):
    rng = random.Random(seed)
    heads = [
        b"",
        b"\x40\1\x0c",
        b"\x26\1\x80",
        b"\2\1\x80",
        b"\x62\1\x93",
        b"\x62\1\x53",
        b"\x60\1",
    ]
    buffer = JitterBuffer(max_packets=40, max_bytes=4_000)
    now_us = sequence = timestamp = 0
    for _ in range(300):
        sequence += rng.choice([1, 1, 1, 2, -3, 25, rng.randrange(65_536)])
        timestamp += rng.choice([0, 0, FRAME_TICKS, rng.randrange(2**32)])
        now_us += rng.randrange(60_000)
        payload = rng.choice(heads) + rng.randbytes(rng.randrange(40))
        marker = rng.random() < 0.4
        packet = MediaPacket(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, marker, payload)
        buffer.add(packet, now_us)
        assert buffer.held_packets <= 40
        assert buffer.held_bytes <= 4_000
        assert len(buffer.missing(now_us)) <= 2 * 40
        if rng.random() < 0.8:
            pop_all(buffer, now_us)


@contextmanager
def within(seconds):
    """An endless loop fails instead of standing still."""

    def stop(signum, frame):
        raise AssertionError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("told", [1, 2, 5])
def test_packets_that_only_a_repair_told_of_are_given_up_in_time(told):
    stream = packets_of(pictures([300] * 12, iraps={0, 10}))
    buffer = JitterBuffer(latency_budget_us=BUDGET_US)
    assert len(feed(buffer, flat(stream[:3]))) == 3
    last = stream[2 + told][-1]
    first = stream[3][0].sequence
    buffer.on_repair(first, last.sequence - first + 1, last.timestamp, FRAME_US)
    assert buffer.missing_packets == last.sequence - first + 1
    with within(5):  # a path that is dark from here on
        for now_us in range(FRAME_US, 3 * BUDGET_US, FRAME_US):
            assert pop_all(buffer, now_us) == []
            buffer.missing(now_us)
    if told > 1:
        assert buffer.irap_wanted
    units = feed(buffer, flat(stream[9:]), 3 * BUDGET_US)
    units += pop_all(buffer, 5 * BUDGET_US)
    assert [unit.irap for unit in units if not unit.gap_before or unit.irap][:2] == [True, False]
    assert not buffer.irap_wanted


def test_giving_up_many_packets_takes_time_in_proportion():
    def given_up_s(repairs):
        (packets,) = packets_of(pictures([300]))
        buffer = JitterBuffer(latency_budget_us=BUDGET_US)
        feed(buffer, packets)
        for number in range(repairs):
            base = packets[-1].sequence + 1 + 60 * number
            buffer.on_repair(base, 60, FRAME_TICKS * (number + 1), 0)
        assert buffer.missing_packets == 60 * repairs
        begun = time.process_time()
        assert pop_all(buffer, 2 * BUDGET_US) == []
        return time.process_time() - begun

    few, many = (min(given_up_s(repairs) for _ in range(5)) for repairs in (3, 30))
    assert many < 40 * few  # in proportion to the square: a hundred times as much


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_losses_repairs_and_silences_in_any_order_come_to_an_end(data):
    stream = flat(packets_of(pictures([300, 2500] * 20, iraps={0, 13, 26})))
    chance = data.draw(st.randoms(use_true_random=False))
    buffer, now_us = JitterBuffer(latency_budget_us=BUDGET_US, max_packets=40), 0
    with within(20):
        for place, packet in enumerate(stream):
            if chance.random() < 0.5:
                buffer.add(packet, now_us, restored=chance.random() < 0.2)
            if chance.random() < 0.3:
                count = min(chance.randint(1, 60), place + 1)
                base = stream[place + 1 - count].sequence
                buffer.on_repair(base, count, packet.timestamp, now_us)
            now_us += chance.choice([0, 1000, FRAME_US, BUDGET_US, 3 * BUDGET_US])
            pop_all(buffer, now_us)
            buffer.missing(now_us)
            assert buffer.held_packets <= 40
