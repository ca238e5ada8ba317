"""Silence of the peer and its round trip time."""

from link.consent import MAX_OPEN_PROBES, PEER_SILENCE_MAX_US, Consent

MS = 1000
TICK_US = 100 * MS


def test_a_peer_that_stops_is_lost_within_three_seconds() -> None:
    consent = Consent(0)
    assert not consent.is_lost(PEER_SILENCE_MAX_US - 1)
    assert consent.is_lost(PEER_SILENCE_MAX_US)
    assert PEER_SILENCE_MAX_US + TICK_US < 3_000_000


def test_probes_are_rare_while_media_flows_and_dense_in_silence() -> None:
    flowing, silent = 0, 0
    consent = Consent(0)
    for now_us in range(0, 10_000 * MS, TICK_US):
        consent.heard(now_us)
        if consent.probe_due(now_us):
            consent.probed(now_us.to_bytes(12, "big"), now_us)
            flowing += 1
    for now_us in range(10_000 * MS, 12_700 * MS, TICK_US):
        if consent.probe_due(now_us):
            consent.probed(now_us.to_bytes(12, "big"), now_us)
            silent += 1
    assert flowing == 5
    assert silent >= 16
    assert not consent.is_lost(12_700 * MS - TICK_US)


def test_the_answer_to_a_probe_tells_the_round_trip_time() -> None:
    consent = Consent(0)
    consent.probed(b"one", 1000)
    consent.probed(b"two", 2000)
    consent.answered(b"two", 52_000)
    assert consent.rtt_us == 50_000
    consent.answered(b"not ours", 60_000)
    assert consent.rtt_us == 50_000
    assert consent.silence_us(61_000) == 1000


def test_unanswered_probes_do_not_pile_up() -> None:
    consent = Consent(0)
    for number in range(10 * MAX_OPEN_PROBES):
        consent.probed(number.to_bytes(12, "big"), number)
    consent.answered((0).to_bytes(12, "big"), 5000)
    assert consent.rtt_us is None
