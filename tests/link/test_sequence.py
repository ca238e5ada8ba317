import pytest

from link.sequence import difference, timestamp_span_us, unwrap_sequence


@pytest.mark.parametrize(
    ("later", "earlier", "bits", "expected"),
    [
        (5, 3, 16, 2),
        (3, 5, 16, -2),
        (1, 0xFFFF, 16, 2),
        (0xFFFF, 1, 16, -2),
        (0x8000, 0, 16, -0x8000),
        (10, 0xFFFFFFF0, 32, 26),
    ],
)
def test_difference_counts_over_the_wrap(later, earlier, bits, expected):
    assert difference(later, earlier, bits) == expected


def test_sequence_numbers_unwrap_to_the_nearest():
    assert unwrap_sequence(2, 0xFFFF) == 0x10002
    assert unwrap_sequence(0xFFFF, 0x10002) == 0xFFFF
    assert unwrap_sequence(0xFFFF, 0) == -1


def test_timestamps_span_microseconds_over_the_wrap():
    assert timestamp_span_us(90_000 - 45_000, 0x100000000 - 45_000) == 1_000_000
    assert timestamp_span_us(0, 3600) == -40_000
