"""Publishing to a WHIP endpoint (RFC 9725): the streamer's side of the signalling."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from link.errors import NoMediaPath, SignallingError, Unreachable
from link.ice_servers import IceServer, parse_links
from link.identity import Identity
from link.sdp import NoH265Error, PeerDescription, SdpError, VideoParameters, parse_answer
from link.sdp_text import Ssrcs, make_offer
from link.sender import MediaSender
from link.session_life import CLOSED_HERE
from link.transport import MediaTransport
from link.whip_door import BOX_HEADER, STREAM_HEADER
from link.whip_exchange import WhipExchange
from link.whip_http import Pins, WhipHttp

T = TypeVar("T")


async def publish(
    url: str,
    *,
    token: str | None,
    network_ids: Sequence[bytes],
    on_irap_request: Callable[[], None],
    on_bitrate: Callable[[int], None] = lambda bitrate_bps: None,
    timeout_s: float = 10,
    identity: Identity | None = None,
    name: str | None = None,
    stream: str | None = None,
    pins: Pins | None = None,
    ice_servers: Sequence[IceServer] = (),
) -> MediaSender:
    """Connects to the WHIP endpoint at `url` (http or https) and gives the running sender.

    `on_irap_request` is called on the event loop whenever the next access unit should be an IRAP,
    for the first time before this returns; `on_bitrate` hears what the encoder may use, after
    `set_max_bitrate`; `network_ids` (8 bytes each) go into the offer.
    `identity` is what the peer may pair with, under `name`; `stream` names one of several streams
    of this box; `pins` know the peer by its
    certificate. When no path is found without them, the ICE servers that the endpoint names are
    tried as well.
    Raises Unreachable when nobody answers within `timeout_s`, PeerChanged when another box than
    the known one does, Refused(status, message) when the endpoint says no, SignallingError for a
    URL or an answer that makes no sense.
    """
    headers = {} if identity is None or name is None else {BOX_HEADER: name}
    headers |= {} if stream is None else {STREAM_HEADER: stream}
    http = WhipHttp(url, token, pins, headers)
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    first = _WhipClient(http, url, deadline_s, identity, ice_servers)
    try:
        sender = await first.connect(network_ids, on_irap_request, on_bitrate)
    except NoMediaPath:
        more = first.servers_not_tried
        if not more:
            raise
        again = _WhipClient(http, url, deadline_s, identity, (*more, *ice_servers))
        sender = await again.connect(network_ids, on_irap_request, on_bitrate)
    http.keep_pin()
    return sender


class _WhipClient:
    """One session at one endpoint, from POST to DELETE."""

    def __init__(
        self,
        http: WhipHttp,
        url: str,
        deadline_s: float,
        identity: Identity | None,
        ice_servers: Sequence[IceServer],
    ) -> None:
        self._exchange = WhipExchange(http, url)
        self._url = url
        self._deadline_s = deadline_s  # of the event loop's clock
        self._identity = identity
        self._ice_servers = tuple(ice_servers)
        self.servers_not_tried: tuple[IceServer, ...] = ()

    async def connect(
        self,
        network_ids: Sequence[bytes],
        on_irap_request: Callable[[], None],
        on_bitrate: Callable[[int], None],
    ) -> MediaSender:
        loopback = await self._in_time(_is_loopback(self._url))
        transport = MediaTransport(
            controlling=True,
            loopback=loopback,
            identity=self._identity,
            ice_servers=self._ice_servers,
        )
        try:
            ours = await transport.gather()
            ssrcs = Ssrcs(
                media=secrets.randbits(32),
                rtx=secrets.randbits(32),
                cname=secrets.token_hex(8),
                fec=secrets.randbits(32),
            )
            offer, offered = make_offer(ours, ssrcs, network_ids)
            answer = self._parse(await self._in_time(self._post(offer)), offered)
            sender = MediaSender(
                transport,
                answer.video,
                ssrcs,
                on_irap_request=on_irap_request,
                on_bitrate=on_bitrate,
                on_closed=self._on_closed,
            )
            role = "client" if answer.transport.dtls.role == "server" else "server"
            # the second half is for an attempt with the servers that the endpoint told of
            patience_s = self._left_s() / (2 if self.servers_not_tried else 1)
            await transport.connect(answer.transport, role, patience_s)
            sender.start()
        except BaseException:  # a cancellation too must leave no socket behind
            await transport.close()
            await self._exchange.delete()
            raise
        return sender

    def _left_s(self) -> float:
        return max(0.0, self._deadline_s - asyncio.get_running_loop().time())

    async def _in_time(self, step: Coroutine[None, None, T]) -> T:
        try:
            return await asyncio.wait_for(step, self._left_s())
        except asyncio.TimeoutError:
            raise Unreachable(f"{self._url} does not answer in time") from None

    async def _post(self, offer: str) -> str:
        answer = await self._exchange.post(offer)
        told = parse_links(self._exchange.links)
        self.servers_not_tried = tuple(item for item in told if item not in self._ice_servers)
        return answer

    def _parse(self, answer: str, offered: VideoParameters) -> PeerDescription:
        try:
            return parse_answer(answer, offered)
        except (SdpError, NoH265Error) as error:
            raise SignallingError(
                f"{self._url} gave an answer that does not fit: {error}"
            ) from error

    async def _on_closed(self, reason: str) -> None:
        if reason == CLOSED_HERE:
            await self._exchange.delete()


async def _is_loopback(url: str) -> bool:
    """Whether the endpoint is on this machine, so that 127.0.0.1 is of use as a candidate."""
    host = urlsplit(url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError as error:
        raise Unreachable(f"{host}: {error.strerror}") from error
    except UnicodeError as error:  # a redirect may name anything
        raise Unreachable(f"{host!r} is no name of a host") from error
    return any(ip_address(str(item[4][0]).split("%")[0]).is_loopback for item in found)
