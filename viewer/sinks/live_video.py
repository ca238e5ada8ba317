"""The restored video, encoded once for everybody who watches it live.

    Shown --(sink thread)--> H264Encoder --> handover --(event loop)--> a LiveTrack each

Nothing is encoded while nobody watches. Who is slow loses pictures up to the next IDR, which is
asked for at once; nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from daemon.figures import Figures
from viewer.picture import Shown
from viewer.sinks.h264 import H264Encoder

HANDOVER_MAX = 8  # pictures between the sink's thread and the event loop
TRACK_MAX = 8  # pictures that wait for one watcher


class LiveVideo:
    """A sink; `watch` gives a track for an aiortc RTCPeerConnection."""

    name = "video"
    capacity = 1

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._loop = asyncio.get_running_loop()
        self._encoder: H264Encoder | None = None
        self._key_wanted = threading.Event()
        self._handover: deque[av.Packet[Any]] = deque()
        self._tracks: set[LiveTrack] = set()
        self.begun = asyncio.Event()  # there was a picture

    def watch(self) -> LiveTrack:
        """The track of one more watcher, from an IDR on; called on the event loop."""
        track = LiveTrack(self)
        self._tracks.add(track)
        self.want_key()
        self._figures.set("watchers", len(self._tracks))
        return track

    def want_key(self) -> None:
        """Make the next picture an IDR; callable from any thread."""
        self._key_wanted.set()

    def show(self, value: Shown) -> None:
        if not self.begun.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.begun.set)
        if not self._tracks:
            self._encoder = None
            return
        self._encoder = self._encoder or H264Encoder()
        key = self._key_wanted.is_set()
        self._key_wanted.clear()
        packet = self._encoder.encode(value, key=key)
        if packet is None:
            return
        if len(self._handover) >= HANDOVER_MAX:  # the event loop is stuck
            self._handover.clear()
            self.want_key()
        self._handover.append(packet)
        self._figures.rate("video_bits_per_s", packet.size * 8)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """The tracks end with their connections."""
        self._encoder = None

    def forget(self, track: LiveTrack) -> None:
        """Its watcher left."""
        self._tracks.discard(track)
        self._figures.set("watchers", len(self._tracks))

    def _deliver(self) -> None:
        while self._handover:
            packet = self._handover.popleft()
            for track in self._tracks:
                track.put(packet)


class LiveTrack(MediaStreamTrack):
    """What one watcher gets: packets that are encoded already, which aiortc only packetizes."""

    kind = "video"

    def __init__(self, video: LiveVideo) -> None:
        super().__init__()
        self._video = video
        self._packets: deque[av.Packet[Any]] = deque()
        self._changed = asyncio.Event()
        self._waits_for_key = True

    def put(self, packet: av.Packet[Any]) -> None:
        """The next picture."""
        if self._waits_for_key and not packet.is_keyframe:
            return
        self._waits_for_key = len(self._packets) >= TRACK_MAX
        if self._waits_for_key:
            self._packets.clear()
            self._video.want_key()
            return
        self._packets.append(packet)
        self._changed.set()

    async def recv(self) -> av.Packet[Any]:
        """Waits for the next picture. Raises MediaStreamError once the track has ended."""
        while self.readyState == "live":
            if self._packets:
                return self._packets.popleft()
            self._changed.clear()
            await self._changed.wait()
        raise MediaStreamError

    def stop(self) -> None:
        super().stop()
        self._video.forget(self)
        self._changed.set()
