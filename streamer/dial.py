"""Dialling a viewer with the key of this box, if the box that answers is the right one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon.state import State, box_name
from link.ice_servers import IceServer
from link.sender import MediaSender
from link.whip_client import publish
from streamer.known_viewers import KnownViewers
from streamer.peer import Peer


class Dial:
    """`link.whip_client.publish` with what this box brings. Raises UsageError for a bad key."""

    def __init__(
        self,
        peer: Peer,
        state: State,
        ice_servers: Sequence[IceServer],
        stream: str | None = None,
    ) -> None:
        """`stream` names one of several streams of this box."""
        self._identity = state.identity()
        self._pins = KnownViewers(state, self._identity.fingerprint) if peer.is_box else None
        self._ice_servers = tuple(ice_servers)
        self._stream = stream

    async def __call__(
        self,
        url: str,
        *,
        token: str | None,
        network_ids: Sequence[bytes],
        on_irap_request: Callable[[], None],
        on_bitrate: Callable[[int], None],
    ) -> MediaSender:
        return await publish(
            url,
            token=token,
            network_ids=network_ids,
            on_irap_request=on_irap_request,
            on_bitrate=on_bitrate,
            identity=self._identity,
            name=box_name(),
            stream=self._stream,
            pins=self._pins,
            ice_servers=self._ice_servers,
        )
