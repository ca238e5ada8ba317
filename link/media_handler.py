"""What `link.transport` tells of what arrives: the interface of both ends of a session."""

from collections.abc import Iterable
from typing import Protocol

from aiortc.rtp import AnyRtcpPacket, RtpPacket

from link.twcc import Feedback


class MediaHandler(Protocol):
    """Who gets what arrives; called on the event loop, must not raise."""

    def on_rtp(self, packet: RtpPacket, now_us: int) -> None: ...
    def on_rtcp(self, packets: Iterable[AnyRtcpPacket], now_us: int) -> None: ...
    def on_feedback(self, feedback: Feedback, now_us: int) -> None: ...
    def on_closed(self, reason: str) -> None: ...
