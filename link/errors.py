"""The errors of package link; the tree is drawn in the package docstring."""


class LinkError(Exception):
    """Anything that goes wrong between the two ends."""


class WireError(LinkError, ValueError):
    """Bytes from the wire do not parse: count them, drop them, go on."""


class SideInfoError(WireError):
    """The side information of a stream is damaged, out of range, or of a newer version."""


class IdentityError(LinkError):
    """The key of this box cannot be used; the message says what to do."""


class SignallingError(LinkError):
    """The session could not be set up."""


class Unreachable(SignallingError):  # noqa: N818 - reads as a state at the call site
    """Nobody answers at the peer's address."""


class NoMediaPath(Unreachable):
    """The signalling worked, and then no ICE check or DTLS handshake succeeded."""


class PeerChanged(SignallingError):  # noqa: N818
    """Another box than the one known under this address answers."""


class Refused(SignallingError):  # noqa: N818
    """The peer answered, and the answer is no.

    `status` is the HTTP status (401, 503, ...), `message` the peer's reason.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.status} {self.message}".rstrip()


class SessionEnded(LinkError):  # noqa: N818
    """The session was up and is over; `reason` is one sentence for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
