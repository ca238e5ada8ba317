"""Each daemon in a network namespace of its own, the relay between the two."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.net.ends import running
from tests.net.knobs import Knobs
from tests.net.peers import DencPeer, Stream
from tests.net.place import NoNamespaces, Place, namespaces

ONE_WAY_MS = 80.0


@pytest.fixture
def place() -> Iterator[Place]:
    try:
        with namespaces() as place:
            yield place
    except NoNamespaces as reason:
        pytest.skip(str(reason))


async def test_daemons_in_two_namespaces_meet_over_the_relay_alone(
    place: Place, tmp_path: Path
) -> None:
    knobs = Knobs(queue_delay_ms=ONE_WAY_MS, loss_percent=1)
    peer = replace(DencPeer(), place=place)
    async with running(
        tmp_path, knobs, peer=peer, stream=Stream(192, 112), bitrate_bps=300_000, seed=1
    ) as (_, link):
        await asyncio.sleep(2)
        assert link.up.flow.slots
        latencies = [picture.latency_ms for picture in peer.shown(tmp_path)]
    assert len(latencies) > 10
    assert min(latencies) > ONE_WAY_MS  # no picture took another way
    assert not _reaches(place)


def _reaches(place: Place) -> bool:
    """Whether the sender's namespace finds the receiver's address without the relay."""
    route = [*place.run_sender, "ip", "route", "get", place.receiver_host]
    return subprocess.run(route, capture_output=True, check=False).returncode == 0
