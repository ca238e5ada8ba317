from link.nack import MIN_RETRY_US, NackList

FAR = 10_000_000


def test_a_missing_packet_is_asked_for_after_the_reorder_delay_and_then_every_rtt():
    nacks = NackList(reorder_delay_us=10_000, max_nacks=3)
    nacks.rtt_us = 50_000
    nacks.add(7, 0, FAR)
    asked = [now_us for now_us in range(0, 400_000, 5_000) if nacks.due(now_us)]
    assert asked == [10_000, 60_000, 110_000]


def test_no_packet_is_asked_for_more_often_than_every_20_ms():
    nacks = NackList(reorder_delay_us=0, max_nacks=9)
    nacks.rtt_us = 1
    nacks.add(7, 0, FAR)
    assert nacks.due(0) == [7]
    assert nacks.due(MIN_RETRY_US - 1) == []
    assert nacks.due(MIN_RETRY_US) == [7]


def test_nothing_is_asked_for_past_its_deadline():
    nacks = NackList(reorder_delay_us=0, max_nacks=9)
    nacks.add(7, 0, 1_000)
    assert not nacks.expired(7, 999)
    assert nacks.expired(7, 1_000)
    assert nacks.due(1_000) == []


def test_a_packet_that_came_is_not_asked_for():
    nacks = NackList(reorder_delay_us=0, max_nacks=9)
    nacks.add(7, 0, FAR)
    nacks.add(8, 0, FAR)
    assert nacks.arrived(7) is False
    assert nacks.due(0) == [8]
    assert nacks.arrived(8) is True
    assert nacks.arrived(9) is False
    assert len(nacks) == 0


def test_packets_given_up_are_forgotten_and_counted():
    nacks = NackList(reorder_delay_us=0, max_nacks=9)
    for sequence in (9, 10, 4, 5):
        nacks.add(sequence, 0, FAR)
    assert nacks.forget_below(9) == 2
    assert nacks.due(0) == [9, 10]
