"""Forward error correction: what is lost comes back, whatever was lost, within what was sent."""

import random

import pytest

from link.errors import WireError
from link.fec import (
    SYMBOL_MAX_BYTES,
    WINDOW_MAX_PACKETS,
    FecWindow,
    coefficient,
    from_symbol,
    parse_repair,
    to_symbol,
)
from link.fec_decoder import EQUATIONS_MAX, KNOWN_MAX_PACKETS, FecDecoder
from link.galois import added, inverse, product, scaled
from link.packet import MediaPacket

PICTURE = 3600  # ticks


def stream(count: int, first: int = 65_530, each: int = 2, seed: int = 1) -> list[MediaPacket]:
    """Packets of different sizes, `each` a picture; numbers and timestamps wrap."""
    rng = random.Random(seed)
    return [
        MediaPacket(
            (first + index) & 0xFFFF,
            (2**32 - PICTURE + index // each * PICTURE) & 0xFFFFFFFF,
            index % each == each - 1,
            rng.randbytes(rng.randrange(1, 900)),
        )
        for index in range(count)
    ]


def test_the_field_is_one() -> None:
    assert all(product(a, inverse(a)) == 1 for a in range(1, 256))
    assert product(0, 7) == product(7, 0) == 0
    assert product(product(3, 200), 77) == product(3, product(200, 77))
    assert scaled(bytes([5, 0, 9]), 200) == bytes([product(5, 200), 0, product(9, 200)])
    assert added(b"\1\2\3", b"\3") == b"\2\2\3"
    assert all(coefficient(number, y) for number in range(300) for y in range(300))


@pytest.mark.parametrize("lost", [1, 2, 5, 8])
def test_as_many_repairs_as_losses_give_everything_back(lost: int) -> None:
    for seed in range(30):
        rng = random.Random(seed)
        packets = stream(8, seed=seed)
        window, decoder = FecWindow(), FecDecoder()
        gone = set(rng.sample(range(8), lost))
        for index, packet in enumerate(packets):
            window.add(packet)
            if index not in gone:
                decoder.add(packet)
        numbers = [(65_534 + number) & 0xFFFF for number in range(lost)]
        repairs = [parse_repair(number, window.repair(number)[1]) for number in numbers]
        rng.shuffle(repairs)
        found = [decoder.add_repair(repair) for repair in repairs]
        assert all(not early for early in found[:-1]) or lost == 1, seed
        back = {packet.sequence: packet for packet in found[-1]}
        assert back == {packets[i].sequence: packets[i] for i in gone}, f"seed {seed}"
        assert len(decoder) == 0


def test_windows_slide_and_their_equations_add_up() -> None:
    """One repair a picture of two packets: two losses in one picture need the next one's."""
    packets = stream(40)
    window, decoder = FecWindow(), FecDecoder()
    restored: dict[int, int] = {}  # sequence -> picture after which it was back
    gone = {6, 7, 20, 23, 34}
    for index, packet in enumerate(packets):
        window.add(packet)
        if index not in gone:
            restored |= {p.sequence: index // 2 for p in decoder.add(packet)}
        if packet.marker:
            repair = parse_repair(index, window.repair(index)[1])
            restored |= {p.sequence: index // 2 for p in decoder.add_repair(repair)}
    picture = {packets[i].sequence: i // 2 for i in gone}
    assert restored.keys() == picture.keys()
    assert [restored[s] - picture[s] for s in sorted(picture, key=picture.__getitem__)] == [
        *[1, 1],
        *[0, 0],
        *[0],
    ]


def test_a_retransmission_helps_to_restore_the_others() -> None:
    packets = stream(6)
    window, decoder = FecWindow(), FecDecoder()
    for packet in packets:
        window.add(packet)
    for packet in packets[:3]:
        decoder.add(packet)
    for number in range(2):
        assert decoder.add_repair(parse_repair(number, window.repair(number)[1])) == []
    back = decoder.add(packets[4])
    assert sorted(back, key=lambda p: p.payload) == sorted(
        [packets[3], packets[5]], key=lambda p: p.payload
    )


def test_what_is_far_too_late_costs_nothing_of_what_is_known() -> None:
    packets = stream(301)
    lost = packets.pop(-3)
    window, decoder = FecWindow(), FecDecoder()
    late = packets[0]
    window.add(late)
    late_repair = parse_repair(1, window.repair(1)[1])
    for packet in packets[1:]:
        decoder.add(packet)
    assert len(decoder._known) == KNOWN_MAX_PACKETS
    assert decoder.add(late) == decoder.add_repair(late_repair) == []
    assert len(decoder._known) == KNOWN_MAX_PACKETS
    for packet in [*packets[-6:-2], lost, *packets[-2:]]:
        window.add(packet)
    assert decoder.add_repair(parse_repair(2, window.repair(2)[1])) == [lost]


@pytest.mark.parametrize("jump", [KNOWN_MAX_PACKETS + 1, 30_000])
def test_after_a_jump_ahead_losses_come_back(jump: int) -> None:
    decoder = FecDecoder()
    for packet in stream(20):
        decoder.add(packet)
    decoder.add_repair(parse_repair(1, b"\0\5\2" + bytes(40)))  # of no use any more
    window, packets = FecWindow(), stream(6, first=65_530 + 20 + jump)
    for packet in packets:
        window.add(packet)
    for packet in packets[:-1]:
        decoder.add(packet)
    assert len(decoder) == 0
    assert decoder.add_repair(parse_repair(2, window.repair(2)[1])) == packets[-1:]


def test_the_window_is_short_in_time_and_number() -> None:
    window = FecWindow()
    for packet in stream(40, each=1):
        window.add(packet)
    assert len(window) == 4  # 0, 40, 80 and 120 ms old
    for packet in stream(200, each=200):
        window.add(packet)
    assert len(window) == WINDOW_MAX_PACKETS


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0\0", b"\0\0\1", b"\0\0\0" + bytes(20), b"\0\0\x41" + bytes(20),
     b"\0\0\1" + bytes(5), b"\0\0\1" + bytes(SYMBOL_MAX_BYTES + 1)],
)  # fmt: skip
def test_damaged_repairs_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        parse_repair(1, payload)


def test_symbols_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="protected"):
        to_symbol(MediaPacket(1, 0, False, bytes(SYMBOL_MAX_BYTES)))
    for symbol in (b"", b"\0\0\0", b"\0\7\0\0\0\0abcdef"):
        with pytest.raises(WireError):
            from_symbol(1, symbol)


def test_a_flood_of_unsolvable_repairs_is_bounded() -> None:
    decoder, rng = FecDecoder(), random.Random(3)
    for number in range(2_000):
        head = rng.randrange(1 << 10).to_bytes(2, "big") + bytes([rng.randrange(1, 65)])
        decoder.add_repair(parse_repair(number, head + rng.randbytes(1000)))
        decoder.add(MediaPacket(rng.randrange(1 << 10), 0, False, rng.randbytes(5)))
        assert len(decoder) <= EQUATIONS_MAX
        assert len(decoder._known) <= KNOWN_MAX_PACKETS


def test_lies_restore_no_packet_longer_than_themselves() -> None:
    decoder = FecDecoder()
    assert decoder.add_repair(parse_repair(1, b"\0\5\1" + b"\xff" * 40)) == []
    assert len(decoder) == 0
