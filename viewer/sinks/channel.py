"""What can be watched of one stream, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from daemon.figures import Figures
from link.whip_door import refusal
from viewer.sinks.feeds import Feeds
from viewer.sinks.live_video import LiveVideo
from viewer.sinks.record_switch import RecordSwitch


@dataclass(frozen=True)
class Channel:
    """The sinks of one stream that the page shows, and its figures."""

    figures: Figures
    recording: RecordSwitch
    video: LiveVideo
    feeds: Feeds = field(default_factory=Feeds)


def channel_of(request: web.Request, channels: Sequence[Channel]) -> Channel:
    """The one that `?stream=N` names, without it the first. Raises 404 for one that is not."""
    number = request.query.get("stream", "0")
    if len(number) > 2 or not (number.isascii() and number.isdecimal()):
        raise refusal(web.HTTPNotFound, "stream is the number of a stream\n")
    if int(number) >= len(channels):
        raise refusal(
            web.HTTPNotFound, f"No stream {int(number)}: this viewer takes {len(channels)}\n"
        )
    return channels[int(number)]
