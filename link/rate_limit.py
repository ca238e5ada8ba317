"""How many requests one address, and all of them together, may make: token buckets (pure)."""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MAX_ADDRESSES = 1024  # remembered at once
IPV6_SITE_BITS = 64  # one customer's network counts as one address


@dataclass(frozen=True)
class Rate:
    """So many at once, and then so many a second."""

    burst: int
    per_s: float


class _Bucket:
    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._level = float(rate.burst)
        self._filled_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Takes one and gives 0, or takes none and gives the time until there is one."""
        rate = self._rate
        self._level = min(rate.burst, self._level + max(0, now_s - self._filled_s) * rate.per_s)
        self._filled_s = now_s
        if self._level < 1:
            return (1 - self._level) / rate.per_s
        self._level -= 1
        return 0.0


class RateLimiter:
    """Limits each address, and all together. Remembers the 1024 that came last, no more.

    Who is forgotten begins with a full bucket; then the limit of all together holds.
    """

    def __init__(self, each: Rate, total: Rate) -> None:
        self._each = each
        self._total = total
        self._everyone: _Bucket | None = None
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def wait_s(self, address: str, now_s: float) -> float:
        """0 if a request from the address may go on now, else how many seconds to wait.

        A request over its address's limit takes nothing from everybody's.
        """
        key = source_of(address)
        bucket = self._addresses.get(key) or _Bucket(self._each, now_s)
        self._addresses[key] = bucket
        self._addresses.move_to_end(key)
        if len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)
        if wait_s := bucket.wait_s(now_s):
            return wait_s
        self._everyone = self._everyone or _Bucket(self._total, now_s)
        return self._everyone.wait_s(now_s)


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        ip = ip_address(address.split("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Address(int(ip) >> IPV6_SITE_BITS << IPV6_SITE_BITS))
