from link.nack import AGAIN_US, MIN_RETRY_US, REORDER_MAX_US, NackList

FAR = 10_000_000


def test_a_missing_packet_is_asked_for_at_once_soon_again_and_then_every_rtt():
    nacks = NackList(max_nacks=4)
    nacks.rtt_us = 50_000
    nacks.add(7, 0, FAR, FAR)
    asked = [now_us for now_us in range(0, 400_000, 2_000) if nacks.due(now_us)]
    assert asked == [0, AGAIN_US, AGAIN_US + 50_000, AGAIN_US + 100_000]


def test_where_packets_are_late_they_get_their_time_before_they_are_asked_for():
    nacks = NackList(max_nacks=3)
    nacks.rtt_us = 100_000
    nacks.add(7, 0, FAR, FAR)
    assert nacks.due(0) == [7]
    nacks.arrived(7, 16_000)  # sooner than any answer
    nacks.add(8, 50_000, FAR, FAR)
    assert nacks.due(69_000) == []
    assert nacks.due(70_000) == [8]
    for sequence in range(10, 200):  # from now on what is missing is lost
        nacks.add(sequence, FAR, 2 * FAR, 2 * FAR)
        nacks.due(FAR + REORDER_MAX_US)
        nacks.arrived(sequence, FAR + REORDER_MAX_US + 100_000)
    nacks.add(300, 2 * FAR, 3 * FAR, 3 * FAR)
    assert nacks.due(2 * FAR + 1_000) == [300]


def test_no_packet_is_asked_for_more_often_than_every_20_ms():
    nacks = NackList(max_nacks=9)
    nacks.rtt_us = 1
    nacks.add(7, 0, FAR, FAR)
    assert nacks.due(0) == nacks.due(AGAIN_US) == [7]
    assert nacks.due(AGAIN_US + MIN_RETRY_US - 1) == []
    assert nacks.due(AGAIN_US + MIN_RETRY_US) == [7]


def test_who_answers_with_care_is_asked_every_20_ms_to_the_end():
    nacks = NackList(max_nacks=4, eager=True)
    nacks.add(7, 0, FAR, 400_000)
    asked = [now_us for now_us in range(0, 500_000, 2_000) if nacks.due(now_us)]
    assert asked == [0, *range(AGAIN_US, 400_000, MIN_RETRY_US)]


def test_nothing_is_asked_for_past_its_deadline():
    nacks = NackList(max_nacks=9)
    nacks.add(7, 0, 500, 1_000)
    assert not nacks.overdue(7, 499)
    assert nacks.overdue(7, 500)
    assert not nacks.expired(7, 999)
    assert nacks.expired(7, 1_000)
    assert nacks.due(1_000) == []


def test_a_packet_that_came_is_not_asked_for():
    nacks = NackList(max_nacks=9)
    nacks.add(7, 0, FAR, FAR)
    nacks.add(8, 0, FAR, FAR)
    assert nacks.arrived(7, 0) is False
    assert nacks.due(0) == [8]
    assert nacks.arrived(8, 90_000) is True
    assert nacks.arrived(9, 90_000) is False
    assert len(nacks) == 0


def test_packets_given_up_are_forgotten_and_told_once():
    nacks = NackList(max_nacks=9)
    for sequence in (9, 10, 4, 5):
        nacks.add(sequence, 0, FAR, FAR)
    nacks.forget_below(9)
    assert nacks.due(0) == [9, 10]
    assert nacks.drop(10) is True
    assert nacks.drop(10) is nacks.drop(4) is False
    assert len(nacks) == 1
