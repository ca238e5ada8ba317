"""One aiortc connection that carries the live video: to a browser, or to a WHIP server."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from ipaddress import ip_address

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from daemon.log import event
from link.errors import NoMediaPath, SignallingError
from link.ice_servers import IceServer
from link.sdp import MAX_CANDIDATES
from viewer.sinks.live_video import LiveVideo

CONNECT_TIMEOUT_S = 10.0
MAX_MEDIA = 2  # players may ask for audio as well; each could open sockets of its own
LOOK_INTERVAL_S = 1.0  # for losses: receivers report about as often
_MDNS_CANDIDATE = re.compile(r"^(a=candidate:(?:\S+ ){4})\S+\.local(?= )", re.MULTILINE)
_MEDIA = re.compile(r"^m=", re.MULTILINE)

_log = logging.getLogger(__name__)


class LivePeer:
    """Sends a track of `video` in H.264. An IDR follows every loss that the peer reports, since
    aiortc does not tell of requests for key frames (PLI) where it does not encode itself."""

    def __init__(self, video: LiveVideo, ice_servers: Sequence[IceServer]) -> None:
        self._video = video
        servers = [RTCIceServer(server.uri, server.user, server.secret) for server in ice_servers]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._over = asyncio.Event()
        self._connected = asyncio.Event()
        self._track = video.watch()
        transceiver = self._connection.addTransceiver(self._track, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences(
            [codec for codec in codecs if codec.mimeType in ("video/H264", "video/rtx")]
        )
        self._connection.on("connectionstatechange", self._on_state)
        self._watching = asyncio.ensure_future(self._watch())

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    async def offer(self) -> str:
        """Our offer, every candidate in it."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Raises SignallingError for an answer that does not fit."""
        await self._take(answer, "answer")

    async def answer(self, offer: str, peer: str) -> str:
        """Our answer. `peer` is the address that the offer came from: browsers hide theirs behind
        names that only multicast DNS knows, which many networks do not carry.

        Raises SignallingError for an offer that does not fit.
        """
        await self._take(with_address(offer, peer), "offer")
        for transceiver in self._connection.getTransceivers():
            if transceiver.sender.track is not self._track:
                transceiver.direction = "inactive"  # nothing is received: nobody would read it
        try:
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except Exception as error:  # as in `_take`
            raise SignallingError(f"this offer cannot be answered: {error}") from error
        return self._connection.localDescription.sdp

    async def wait_connected(self) -> None:
        """Raises NoMediaPath when the peer cannot be reached."""
        waits = [asyncio.ensure_future(e.wait()) for e in (self._connected, self._over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        if not self.is_connected:
            raise NoMediaPath("no way for the media was found: is UDP open between the two?")

    async def wait_over(self) -> None:
        """Until the peer is gone, or could not be reached in time."""
        await self._over.wait()

    def leave(self) -> None:
        """Lets `wait_over` return; whoever waits there closes."""
        self._over.set()

    async def close(self) -> None:
        self._watching.cancel()
        await self._connection.close()
        self._track.stop()
        self._over.set()

    async def _take(self, sdp: str, kind: str) -> None:
        if sdp.count("a=candidate:") > MAX_CANDIDATES:
            raise SignallingError(f"more than {MAX_CANDIDATES} candidates")
        if len(_MEDIA.findall(sdp)) > MAX_MEDIA or "m=application" in sdp:
            raise SignallingError("this is for one video, and nothing but")
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp, kind))
        except Exception as error:  # aiortc's parser raises whatever it stumbles over
            event(_log, "an SDP does not fit", level=logging.DEBUG, reason=repr(error))
            raise SignallingError(f"this {kind} is no SDP for receiving H.264 video") from error

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
            self._video.want_key()
        elif state in ("failed", "closed"):
            self._over.set()

    async def _watch(self) -> None:
        """Ends what does not connect, and answers losses with an IDR."""
        try:
            await asyncio.wait_for(self._connected.wait(), CONNECT_TIMEOUT_S)
        except asyncio.TimeoutError:
            self._over.set()
            return
        lost = 0
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            stats = await self._connection.getStats()
            reported = [
                entry.packetsLost for entry in stats.values() if entry.type == "remote-inbound-rtp"
            ]
            if sum(reported) > lost:
                self._video.want_key()
            lost = sum(reported)


def with_address(sdp: str, address: str) -> str:
    """The SDP with `address` in place of names under .local."""
    return _MDNS_CANDIDATE.sub(rf"\g<1>{ip_address(address)}", sdp)
