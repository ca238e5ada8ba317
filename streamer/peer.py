"""Where the stream goes: from `HOST[:PORT]` to the URL of a WHIP endpoint."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from link.whip_server import DEFAULT_PORT, WHIP_PATH

_FORM = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True)
class Peer:
    """A WHIP endpoint. A box is known by its key; any other by the authorities of the web."""

    url: str
    is_box: bool

    def __str__(self) -> str:
        return self.url


def parse_peer(value: object) -> Peer:
    """A viewer from HOST[:PORT], or any endpoint from its URL.

    Raises ValueError with what was expected.
    """
    text = str(value).strip()
    if re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        return Peer(text, is_box=False)
    match = _FORM.fullmatch(_bracketed(text))
    if match is None or not 0 < int(match["port"] or DEFAULT_PORT) <= 0xFFFF:
        raise ValueError("HOST[:PORT] such as 192.168.1.20, or the URL of a WHIP endpoint")
    url = f"https://{match['host']}:{match['port'] or DEFAULT_PORT}{WHIP_PATH}"
    return Peer(url, is_box=True)


def _bracketed(text: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return text
