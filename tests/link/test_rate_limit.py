"""Token buckets: of one address, of all together, in bounded memory."""

import pytest

from link.rate_limit import MAX_ADDRESSES, Rate, RateLimiter, source_of

EACH, TOTAL = Rate(burst=3, per_s=1), Rate(burst=10, per_s=5)


def test_an_address_gets_its_burst_and_then_its_rate() -> None:
    limiter = RateLimiter(EACH, TOTAL)
    assert [limiter.wait_s("10.0.0.1", 0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait_s("10.0.0.1", 0) == pytest.approx(1)
    assert limiter.wait_s("10.0.0.2", 0) == 0
    assert limiter.wait_s("10.0.0.1", 0.5) == pytest.approx(0.5)
    assert limiter.wait_s("10.0.0.1", 1.01) == 0


def test_all_together_have_a_rate_too() -> None:
    limiter = RateLimiter(EACH, TOTAL)
    taken = [limiter.wait_s(f"10.0.0.{number}", 0) for number in range(12)]
    assert taken.count(0) == 10
    assert taken[-1] == pytest.approx(0.2)


def test_one_that_floods_takes_nothing_from_the_others() -> None:
    limiter = RateLimiter(EACH, TOTAL)
    assert sum(limiter.wait_s("10.0.0.1", 0) == 0 for _ in range(1000)) == 3
    assert limiter.wait_s("10.0.0.2", 0) == 0


def test_memory_is_bounded_whatever_comes() -> None:
    limiter = RateLimiter(EACH, TOTAL)
    for number in range(5 * MAX_ADDRESSES):
        limiter.wait_s(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number / 100)
    assert len(limiter) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8::ffff:ffff:ffff:1", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("?", "?"),
    ],
)
def test_a_source_is_an_address_or_a_site(address: str, source: str) -> None:
    assert source_of(address) == source
