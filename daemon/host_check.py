"""Against DNS rebinding: a page from elsewhere that makes its own name point at this machine.

A browser on this machine would then read our figures and pictures for that page. Such a name is a
public one; an address, a name without dots, or one of the local network cannot be lent like that.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

LOCAL_ENDINGS = (".local", ".localhost", ".lan", ".internal", ".home.arpa")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_local_name(host: str) -> bool:
    """Whether the `Host` of a request names this machine in a way that no stranger can lend."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.strip("[]").rstrip(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = (socket.gethostname().lower(), socket.getfqdn().lower()) if "." in name else ()
        return "." not in name or name.endswith(LOCAL_ENDINGS) or name in own
    return True


@web.middleware
async def host_check(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses requests for a public name (421, RFC 9110, section 15.5.20)."""
    if not is_local_name(request.host):
        raise web.HTTPMisdirectedRequest(
            text="This machine has no such name: open it by its address\n"
        )
    return await handler(request)
