"""How other machines reach this one: what to type there, and what to open on a phone."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from typing import TextIO
from urllib.parse import urlsplit, urlunsplit

import segno

from viewer.address import EVERYWHERE, Address

DEFAULT_HOST = "THIS-HOST"
# A test network (RFC 5737): connecting a UDP socket sends nothing and asks the routes alone.
_SOMEWHERE = ("192.0.2.1", 9)
_LOOPBACK = ("127.", "localhost", "::1")


def own_address() -> str | None:
    """The address of this machine in the network that leads out of it, if there is one."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith(_LOOPBACK) or address == EVERYWHERE else address


def from_elsewhere(address: Address) -> Address:
    """Where others find what listens there; itself, where only this machine can."""
    if address.host != EVERYWHERE:
        return address
    return Address(own_address() or DEFAULT_HOST, address.port)


def link(url: str, address: Address) -> str:
    """The URL of what is served at `address`, with a host that other machines know, if any does."""
    parts, there = urlsplit(url), from_elsewhere(address)
    if there == address or there.host == DEFAULT_HOST:
        return url
    return urlunsplit(parts._replace(netloc=str(Address(there.host, parts.port or 80))))


def draw_qr(url: str, stream: TextIO) -> None:
    """The URL, less its query, for a phone's camera: on a terminal, and if a phone can open it."""
    parts = urlsplit(url)
    if not stream.isatty() or (parts.hostname or "").startswith(_LOOPBACK):
        return
    code = segno.make(urlunsplit(parts._replace(query="")), error="l", micro=False)
    with suppress(UnicodeEncodeError):  # a terminal without block characters: the log has the link
        code.terminal(stream, border=2, compact=True)
    stream.flush()
