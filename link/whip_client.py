"""Publishing to a WHIP endpoint (RFC 9725): the streamer's side of the signalling."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp

from link.errors import Refused, SignallingError, Unreachable
from link.sdp import (
    SDP_MAX_BYTES,
    NoH265Error,
    PeerDescription,
    SdpError,
    VideoParameters,
    parse_answer,
)
from link.sdp_text import Ssrcs, make_offer
from link.sender import MediaSender
from link.session_life import CLOSED_HERE
from link.transport import MediaTransport

DELETE_TIMEOUT_S = 1.0
REASON_MAX_CHARS = 300  # of what a server says about a refusal
_SDP_TYPE = "application/sdp"
T = TypeVar("T")


async def publish(
    url: str,
    *,
    token: str | None,
    network_ids: Sequence[bytes],
    on_irap_request: Callable[[], None],
    timeout_s: float = 10,
) -> MediaSender:
    """Connects to the WHIP endpoint at `url` (http or https) and gives the running sender.

    `on_irap_request` is called on the event loop whenever the next access unit should be an IRAP,
    for the first time before this returns; `network_ids` (8 bytes each) go into the offer.
    Raises Unreachable when nobody answers within `timeout_s`, Refused(status, message) when the
    endpoint says no, SignallingError for a URL or an answer that makes no sense.
    """
    if not _is_http(url):
        raise SignallingError(f"{url!r} is no http or https URL of a WHIP endpoint")
    client = _WhipClient(url, token, asyncio.get_running_loop().time() + timeout_s)
    return await client.connect(network_ids, on_irap_request)


class _WhipClient:
    """One session at one endpoint, from POST to DELETE."""

    def __init__(self, url: str, token: str | None, deadline_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s  # of the event loop's clock
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session_url: str | None = None

    async def connect(
        self, network_ids: Sequence[bytes], on_irap_request: Callable[[], None]
    ) -> MediaSender:
        loopback = await self._in_time(_is_loopback(self._url))
        transport = MediaTransport(controlling=True, loopback=loopback)
        try:
            ours = await transport.gather()
            ssrcs = Ssrcs(secrets.randbits(32), secrets.randbits(32), secrets.token_hex(8))
            offer, offered = make_offer(ours, ssrcs, network_ids)
            answer = self._parse(await self._in_time(self._post(offer)), offered)
            sender = MediaSender(
                transport,
                answer.video,
                ssrcs,
                on_irap_request=on_irap_request,
                on_closed=self._on_closed,
            )
            role = "client" if answer.transport.dtls.role == "server" else "server"
            await transport.connect(answer.transport, role, self._left_s())
            sender.start()
        except BaseException:  # a cancellation too must leave no socket behind
            await transport.close()
            await self._delete()
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
        """The text of the answer (RFC 9725, section 4.2)."""
        headers = self._headers | {"Content-Type": _SDP_TYPE}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(self._url, data=offer.encode(), headers=headers) as response,
            ):
                body = await _text(response)
                if response.status != 201:
                    reason = " ".join(body[:REASON_MAX_CHARS].split())
                    raise Refused(response.status, reason or response.reason or "")
                location = response.headers.get("Location")
                if location is not None:
                    self._session_url = urljoin(str(response.url), location)
        except ValueError as error:  # our URL, a redirect's or that of `Location`
            raise SignallingError(f"{self._url!r} is or leads to no URL: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self._url}: {error or type(error).__name__}") from error
        return body

    def _parse(self, answer: str, offered: VideoParameters) -> PeerDescription:
        try:
            return parse_answer(answer, offered)
        except (SdpError, NoH265Error) as error:
            raise SignallingError(
                f"{self._url} gave an answer that does not fit: {error}"
            ) from error

    async def _on_closed(self, reason: str) -> None:
        if reason == CLOSED_HERE:
            await self._delete()

    async def _delete(self) -> None:
        """Frees the session at the server (RFC 9725, section 4.2), which may know already."""
        if self._session_url is None:
            return
        timeout = aiohttp.ClientTimeout(total=DELETE_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.delete(self._session_url, headers=self._headers),
            ):
                self._session_url = None
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError):
            return  # the peer notices by itself


async def _text(response: aiohttp.ClientResponse) -> str:
    """The body, no more of it than any SDP has."""
    body = b""
    async for chunk in response.content.iter_chunked(SDP_MAX_BYTES):
        body += chunk
        if len(body) > SDP_MAX_BYTES:
            raise SignallingError(f"the answer of {response.url} is larger than any SDP")
    return body.decode(errors="replace")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def _is_loopback(url: str) -> bool:
    """Whether the endpoint is on this machine, so that 127.0.0.1 is of use as a candidate."""
    host = urlsplit(url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError as error:
        raise Unreachable(f"{host}: {error.strerror}") from error
    return any(ip_address(str(item[4][0]).split("%")[0]).is_loopback for item in found)
