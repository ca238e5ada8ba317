"""Keeps a stock aiortc peer on 127.0.0.1, which it leaves out by itself."""

from __future__ import annotations

import aioice.ice

from tests.net.place import LOCALHOST


def stay_on_loopback() -> None:
    """From now on 127.0.0.1 is the only address of this process's ICE agents."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [LOCALHOST]
