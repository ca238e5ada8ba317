"""Where the viewer listens: `[HOST:]PORT`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

EVERYWHERE = "0.0.0.0"
_FORM = re.compile(r"(?:(?P<host>[^:\[\]\s]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Address:
    """A host name or IP address (IPv6 without its brackets) and a port, 0 for any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(value: object) -> Address:
    """An address from `8889`, `127.0.0.1:8889` or `[::1]:8889`; a bare port means everywhere.

    Raises ValueError with what was expected.
    """
    match = _FORM.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool) or int(match["port"]) > 0xFFFF:
        raise ValueError("[HOST:]PORT such as 8889 or 127.0.0.1:8889")
    host = match["host"] or EVERYWHERE
    return Address(host.strip("[]"), int(match["port"]))
