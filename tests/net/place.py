"""Where the two ends and the link between them are: all on 127.0.0.1, or in network namespaces.

    namespace of the sender   veth   this namespace   veth   namespace of the receiver
    denc-stream  10.77.1.2  <======>  proxy, relay  <======>  10.77.2.2  denc-view

In namespaces nothing but the relay connects the ends, and each has the addresses, routes and
interfaces of a machine of its own. That takes root, and no `netem`: the relay is the bad link.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOCALHOST = "127.0.0.1"
IP_TIMEOUT_S = 10
SENDER_NET, RECEIVER_NET = "10.77.1", "10.77.2"


@dataclass(frozen=True)
class Place:
    """Addresses, and what a program is started with to be there."""

    relay_host: str = LOCALHOST  # where the sender finds proxy and relay
    receiver_host: str = LOCALHOST
    run_sender: tuple[str, ...] = ()
    run_receiver: tuple[str, ...] = ()


HERE = Place()


class NoNamespaces(Exception):  # noqa: N818 - a reason, not a failure
    """Why there are none."""


@contextmanager
def namespaces() -> Iterator[Place]:
    """Two of them, each behind a veth pair, until the block is left. Raises NoNamespaces."""
    if os.geteuid() != 0:
        raise NoNamespaces("network namespaces take root")
    if shutil.which("ip") is None:
        raise NoNamespaces("there is no `ip` (iproute2)")
    made: list[str] = []
    try:
        for short, net in (("s", SENDER_NET), ("r", RECEIVER_NET)):
            name, ours = f"denc-{os.getpid()}-{short}", f"denc{os.getpid()}{short}"
            _ip("netns", "add", name)
            made.append(name)
            _ip("link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("addr", "add", f"{net}.1/24", "dev", ours)
            _ip("link", "set", ours, "up")
            _ip("-n", name, "addr", "add", f"{net}.2/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", name, "link", "set", device, "up")
        sender, receiver = (("ip", "netns", "exec", name) for name in made)
        yield Place(f"{SENDER_NET}.1", f"{RECEIVER_NET}.2", sender, receiver)
    finally:
        for name in made:  # its end of the veth pair goes with it, and so does ours
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=IP_TIMEOUT_S)


def _ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=IP_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
