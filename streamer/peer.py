"""Where the stream goes: from `HOST[:PORT]` to the URL of a WHIP endpoint."""

from __future__ import annotations

import ipaddress
import re

from link.whip_server import DEFAULT_PORT, WHIP_PATH

_FORM = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


def peer_url(peer: object) -> str:
    """The WHIP URL of a viewer, or the URL itself where one is given.

    Raises ValueError with what was expected.
    """
    text = str(peer).strip()
    if re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        return text
    match = _FORM.fullmatch(_bracketed(text))
    if match is None or not 0 < int(match["port"] or DEFAULT_PORT) <= 0xFFFF:
        raise ValueError("HOST[:PORT] such as 192.168.1.20, or the URL of a WHIP endpoint")
    return f"http://{match['host']}:{match['port'] or DEFAULT_PORT}{WHIP_PATH}"


def _bracketed(text: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return text
