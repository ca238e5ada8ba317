"""Where the stream goes: from `HOST[:PORT]` to the URL of a WHIP endpoint."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

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
    if re.fullmatch(r"https?://[^\s/]+(/\S*)?", text) and _is_endpoint(text):
        return Peer(text, is_box=False)
    match = _FORM.fullmatch(_bracketed(text))
    if (
        match is None
        or not 0 < int(match["port"] or DEFAULT_PORT) <= 0xFFFF
        or not _is_host(match["host"])
    ):
        raise ValueError("HOST[:PORT] such as 192.168.1.20, or the URL of a WHIP endpoint")
    url = f"https://{match['host']}:{match['port'] or DEFAULT_PORT}{WHIP_PATH}"
    return Peer(url, is_box=True)


def _bracketed(text: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return text


def _is_endpoint(url: str) -> bool:
    """Whether host and port of a URL can be."""
    try:
        parts = urlsplit(url)
        return _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port beyond 65535, a bracket that is not closed
        return False


def _is_host(host: str) -> bool:
    """Whether a resolver would look at it: no label is empty, or longer than 63 bytes."""
    if host.startswith("["):
        return bool(_bracketed(host[1:-1]) == host)
    try:
        return bool(host) and bool(host.encode("idna"))
    except UnicodeError:
        return False
