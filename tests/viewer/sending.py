"""A streamer for the tests: publishes made access units to a viewer on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from made_streams import TICKS

from daemon.state import open_state
from link.access_unit import AccessUnit
from link.sender import MediaSender
from link.whip_client import publish


class AnyViewer:
    """Pins that know nobody, and take everybody."""

    def refusal(self, authority: str, fingerprint: str) -> str | None:
        return None

    def keep(self, authority: str, fingerprint: str) -> None:
        """Nothing is remembered."""


async def publish_to(
    port: int,
    *,
    token: str | None = None,
    state: Path | None = None,
    name: str = "camera",
    stream: str | None = None,
) -> MediaSender:
    """A connected sender with the key in `state`, by default of this box itself, which every
    viewer knows; requests for IRAPs are ignored, the made streams have enough."""
    return await publish(
        f"https://127.0.0.1:{port}/whip",
        token=token,
        network_ids=(),
        on_irap_request=lambda: None,
        identity=open_state(state).identity(),
        name=name,
        stream=stream,
        pins=AnyViewer(),
    )


async def send(
    sender: MediaSender, units: list[AccessUnit], *, interval_s: float = 0.02, first: int = 0
) -> None:
    """Send the units at a steady rate, with RTP timestamps that go on from unit `first`."""
    for number, unit in enumerate(units):
        timestamp = (first + number) * TICKS % 2**32
        sender.send(replace(unit, rtp_timestamp=timestamp))
        await asyncio.sleep(interval_s)
    await asyncio.sleep(0.2)
