"""A streamer for the tests: publishes made access units to a viewer on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from made_streams import TICKS

from link.access_unit import AccessUnit
from link.sender import MediaSender
from link.whip_client import publish


async def publish_to(port: int, *, token: str | None = None) -> MediaSender:
    """A connected sender; requests for IRAPs are ignored, the made streams have enough."""
    url = f"http://127.0.0.1:{port}/whip"
    return await publish(url, token=token, network_ids=(), on_irap_request=lambda: None)


async def send(
    sender: MediaSender, units: list[AccessUnit], *, interval_s: float = 0.02, first: int = 0
) -> None:
    """Send the units at a steady rate, with RTP timestamps that go on from unit `first`."""
    for number, unit in enumerate(units):
        timestamp = (first + number) * TICKS % 2**32
        sender.send(replace(unit, rtp_timestamp=timestamp))
        await asyncio.sleep(interval_s)
    await asyncio.sleep(0.2)
