"""One session at a WHIP endpoint, from the POST of its offer to its DELETE (RFC 9725)."""

import asyncio

from link.errors import LinkError, Refused
from link.whip_http import Reply, WhipHttp

DELETE_TIMEOUT_S = 1.0
REASON_MAX_CHARS = 300  # of what a server says about a refusal
SDP_TYPE = "application/sdp"


class WhipExchange:
    """Whatever carries the media, the offers and answers go through here."""

    def __init__(self, http: WhipHttp, url: str) -> None:
        self.links: tuple[str, ...] = ()  # values of `Link` headers, once there is an answer
        self._http = http
        self._url = url
        self._session_url: str | None = None

    async def post(self, offer: str) -> str:
        """The text of the answer. Raises what `WhipHttp.request` does, and Refused."""
        more = {"Content-Type": SDP_TYPE}
        reply = await self._http.request("POST", self._url, offer, **more)
        if reply.status != 201:
            raise Refused(reply.status, _reason(reply))
        self._session_url = reply.location
        self.links = reply.links
        return reply.body

    async def delete(self) -> None:
        """Frees the session at the server (RFC 9725, section 4.2), which may know already."""
        if self._session_url is None:
            return
        url, self._session_url = self._session_url, None
        try:
            await asyncio.wait_for(self._http.request("DELETE", url), DELETE_TIMEOUT_S)
        except (LinkError, asyncio.TimeoutError):
            return  # the peer notices by itself


def _reason(reply: Reply) -> str:
    """What the server says about a refusal, in one line without control characters."""
    said = " ".join(reply.body[:REASON_MAX_CHARS].split())
    return "".join(char for char in said if char.isprintable()) or reply.reason
