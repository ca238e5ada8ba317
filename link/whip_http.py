"""The HTTP of a WHIP client: redirects, the bearer token, and whose certificate it is.

A box (`Pins` given) is known by the fingerprint of its certificate, which nobody has signed; any
other https endpoint must have one that the system's authorities vouch for.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp

from link.errors import PeerChanged, SignallingError, Unreachable
from link.identity import digest
from link.sdp import SDP_MAX_BYTES

MAX_REDIRECTS = 5
_REDIRECTS = (307, 308)  # the two that keep the method (RFC 9725, section 4.5)
_PORTS = {"http": 80, "https": 443}


class Pins(Protocol):
    """Knows which box answers where; called on the event loop."""

    def refusal(self, authority: str, fingerprint: str) -> str | None:
        """Why this box is not the one that `authority` (host:port) is known for, if it is not."""

    def keep(self, authority: str, fingerprint: str) -> None:
        """A session with this box came about; from now on it is known."""


@dataclass(frozen=True)
class Reply:
    """What an endpoint answered."""

    status: int
    reason: str
    body: str
    url: str  # after redirects
    location: str | None  # absolute
    links: tuple[str, ...]


class _PinCheck(aiohttp.Fingerprint):
    """Asks the pins about the certificate after the TLS handshake, before anything is sent."""

    def __init__(self, pins: Pins, authority: str) -> None:
        super().__init__(bytes(32))
        self._pins = pins
        self._authority = authority
        self.seen: str | None = None
        self.why: str | None = None

    def check(self, transport: asyncio.Transport) -> None:
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self.seen = digest(certificate or b"")
        self.why = self._pins.refusal(self._authority, self.seen)
        if self.why is not None:
            host, port, *_ = transport.get_extra_info("peername")
            raise aiohttp.ServerFingerprintMismatch(b"", b"", host, port)


class WhipHttp:
    """Requests to one endpoint. The token goes to its origin alone (RFC 9110, section 4.3.1)."""

    def __init__(
        self, url: str, token: str | None, pins: Pins | None, headers: Mapping[str, str]
    ) -> None:
        if not _is_http(url):
            raise SignallingError(f"{url!r} is no http or https URL of a WHIP endpoint")
        self._url = url
        self._token = token
        self._headers = dict(headers)
        self._pins = pins
        self._check = None if pins is None else _PinCheck(pins, authority(url))

    async def request(self, method: str, url: str, body: str | None = None, **more: str) -> Reply:
        """One request, and where it is redirected to, `more` being further headers.

        Raises Unreachable, PeerChanged, and SignallingError for a URL or a redirect that makes
        no sense.
        """
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._once(method, url, body, more)
            if reply.status not in _REDIRECTS or reply.location is None:
                return reply
            target = reply.location
            if not _is_http(target) or (_scheme(url) == "https" and _scheme(target) == "http"):
                raise SignallingError(f"{url} redirects to {target}, where we do not go")
            url = target
        raise SignallingError(f"{self._url} redirects more than {MAX_REDIRECTS} times")

    def keep_pin(self) -> None:
        """The session came about: the box that answered is known from now on."""
        if self._pins is not None and self._check is not None and self._check.seen is not None:
            self._pins.keep(authority(self._url), self._check.seen)

    async def _once(
        self, method: str, url: str, body: str | None, more: Mapping[str, str]
    ) -> Reply:
        if not _is_http(url):
            raise SignallingError(f"{self._url} leads to {url!r}, which is no http or https URL")
        home = origin(url) == origin(self._url)
        headers = self._headers | dict(more)
        if home and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        check = self._check if home and _scheme(url) == "https" else None
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(
                    method,
                    url,
                    data=None if body is None else body.encode(),
                    headers=headers,
                    allow_redirects=False,
                    ssl=True if check is None else check,
                ) as response,
            ):
                location = response.headers.get("Location")
                return Reply(
                    response.status,
                    response.reason or "",
                    await _text(response),
                    url,
                    None if location is None else urljoin(url, location),
                    tuple(response.headers.getall("Link", ())),
                )
        except aiohttp.ServerFingerprintMismatch as error:
            raise PeerChanged((check and check.why) or str(error)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unreachable(
                f"{url}: nobody vouches for its certificate; is it a denc-view? Then give "
                f"--peer {authority(url)} without https://"
            ) from error
        except aiohttp.ClientSSLError as error:
            raise Unreachable(
                f"{url} does not speak TLS; is it plain HTTP? Then give --peer http://..."
            ) from error
        except aiohttp.InvalidURL as error:
            raise SignallingError(f"{url!r} is not a URL") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{url}: {error or type(error).__name__}") from error
        except ValueError as error:  # a redirect's or that of `Location`
            raise SignallingError(f"{url!r} leads to no URL: {error}") from error


def authority(url: str) -> str:
    """host:port of a URL, the port always given."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port (RFC 6454)."""
    return _scheme(url), authority(url)


def _scheme(url: str) -> str:
    return urlsplit(url).scheme.lower()


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
