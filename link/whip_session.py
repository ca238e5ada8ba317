"""One publisher at the WHIP server: from its accepted offer to the end of its consumer."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from link.errors import LinkError, SessionEnded
from link.identity import Box
from link.receiver import MediaReceiver
from link.sdp import PeerDescription
from link.transport import MediaTransport

CONNECT_TIMEOUT_S = 10.0

logger = logging.getLogger(__name__)
OnSession = Callable[[MediaReceiver], Awaitable[None]]


def peer_id(source: str, box: Box | None, stream: str) -> str:
    """The same whenever the same stream of the same box comes back."""
    where = source if box is None or box.name is None else box.fingerprint
    return f"{where}/{stream}"


class WhipSession:
    """Connects in the background; `is_live` once DTLS has proven who the peer is.

    `on_proven` is asked then whether the session may go on, and raises LinkError where not.
    """

    def __init__(
        self,
        offer: PeerDescription,
        transport: MediaTransport,
        source: str,
        box: Box | None,
        stream: str,
        *,
        by_token: bool,
        on_proven: Callable[["WhipSession"], None],
        on_over: Callable[["WhipSession"], None],
    ) -> None:
        self.secret = secrets.token_urlsafe(16)
        self.transport = transport
        self.source = source  # the address that its offer came from
        self.box = box
        self.by_token = by_token
        self.is_live = False
        name = None if box is None else box.name
        self.receiver = MediaReceiver(
            transport,
            offer.video,
            on_closed=self._on_closed,
            peer_id=peer_id(source, box, stream),
            peer_name=" ".join(filter(None, (name or source, stream))),
        )
        self._remote = offer.transport
        self._on_proven = on_proven
        self._on_over = on_over
        self._task: asyncio.Task[None] | None = None

    @property
    def etag(self) -> str:
        """Entity tag of the ICE session (RFC 9725, section 4.3.1)."""
        return f'"{self.transport.ice_user_name}"'

    def run(self, role: str, on_session: OnSession) -> asyncio.Task[None]:
        """Connects in the background and hands the receiver to `on_session`."""
        self._task = asyncio.ensure_future(self._run(role, on_session))
        return self._task

    def is_restart(self, ice_user_name: str | None) -> bool:
        """Whether a trickle fragment belongs to another ICE session than this one."""
        return ice_user_name not in (None, self._remote.ice.usernameFragment)

    async def close(self) -> None:
        """Ends the media path; the consumer gets SessionEnded and is not waited for."""
        if self._task is not None and not self.is_live:
            self._task.cancel()
        await self.receiver.close()

    async def _run(self, role: str, on_session: OnSession) -> None:
        try:
            await self.transport.connect(self._remote, role, CONNECT_TIMEOUT_S)
            self._on_proven(self)
            self.is_live = True
            logger.info("session with %s connected", self.source)
            self.receiver.start()
            await on_session(self.receiver)
        except SessionEnded:
            pass  # the usual end of a consumer
        except LinkError as error:
            self.receiver.end(str(error))
        except Exception:
            logger.exception("the consumer of the session with %s failed", self.source)
        finally:
            await self.receiver.close()

    async def _on_closed(self, reason: str) -> None:
        logger.info("session with %s over: %s", self.source, reason)
        self._on_over(self)
