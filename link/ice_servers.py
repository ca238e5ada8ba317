"""STUN and TURN servers: how people write them, and how WHIP hands them out.

    stun:HOST[:PORT]                              (RFC 7064)
    turn:[USER:PASSWORD@]HOST[:PORT][?transport=tcp], turns:...   (RFC 7065, with credentials)

A server is asked for an address only where one is configured: a LAN needs none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

MAX_ICE_SERVERS = 8
EXPECTED = "stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT][?transport=tcp]"
DEFAULT_PORTS = {"stun": 3478, "turn": 3478, "turns": 5349}
_HOST = r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_FORM = re.compile(
    r"(?P<scheme>stun|turns?):(?:(?P<user>[^:@\s]+):(?P<secret>[^@\s]+)@)?"
    + _HOST
    + r"(?::(?P<port>\d{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)
_LINK = re.compile(r'<([^<>\s]{1,300})>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^;,"\s]+))*)')
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]+))')


@dataclass(frozen=True)
class IceServer:
    """One server; `repr` and `str` keep its password to themselves."""

    scheme: str  # stun, turn or turns
    host: str
    port: int
    transport: str = "udp"  # between this end and a TURN server
    user: str | None = None
    secret: str | None = None

    @property
    def uri(self) -> str:
        """Without credentials, as RFC 7064 and RFC 7065 have it."""
        tail = "" if self.scheme == "stun" else f"?transport={self.transport}"
        return f"{self.scheme}:{self.host}:{self.port}{tail}"

    def __repr__(self) -> str:
        return self.uri


def parse_ice_server(value: object) -> IceServer:
    """A server as a person writes it. Raises ValueError with what was expected."""
    match = _FORM.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(EXPECTED)
    scheme = match["scheme"]
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    transport = match["transport"] or ("tcp" if scheme == "turns" else "udp")
    user = None if match["user"] is None else unquote(match["user"])
    secret = None if match["secret"] is None else unquote(match["secret"])
    stun_has_more = scheme == "stun" and (user is not None or match["transport"] is not None)
    if stun_has_more or not 0 < port < 1 << 16 or (scheme == "turns" and transport != "tcp"):
        raise ValueError(EXPECTED)
    return IceServer(scheme, match["host"], port, transport, user, secret)


def parse_ice_servers(value: object) -> tuple[IceServer, ...]:
    """A list of servers, or one. Raises ValueError with what was expected."""
    items = value if isinstance(value, list | tuple) else [value]
    if len(items) > MAX_ICE_SERVERS:
        raise ValueError(f"at most {MAX_ICE_SERVERS} servers")
    return tuple(parse_ice_server(item) for item in items)


def link_values(servers: Iterable[IceServer]) -> list[str]:
    """Values of `Link` headers that tell of the servers (RFC 9725, section 4.6)."""
    values = []
    for server in servers:
        value = f'<{server.uri}>; rel="ice-server"'
        if server.user is not None and server.secret is not None:
            value += f'; username="{_escaped(server.user)}"; credential="{_escaped(server.secret)}"'
            value += '; credential-type="password"'
        values.append(value)
    return values


def aioice_arguments(servers: Iterable[IceServer]) -> dict[str, Any]:
    """What aioice's Connection takes: one STUN and one TURN server."""
    arguments: dict[str, Any] = {}
    for server in servers:
        address = (server.host.strip("[]"), server.port)
        if server.scheme == "stun":
            arguments.setdefault("stun_server", address)
        elif "turn_server" not in arguments:
            arguments |= {
                "turn_server": address,
                "turn_username": server.user,
                "turn_password": server.secret,
                "turn_ssl": server.scheme == "turns",
                "turn_transport": server.transport,
            }
    return arguments


def parse_links(values: Iterable[str]) -> tuple[IceServer, ...]:
    """The servers that `Link` headers tell of; what is no server, or none that we use, is left."""
    found: list[IceServer] = []
    for match in _LINK.finditer(", ".join(values)[: 1 << 14]):
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for name, quoted, plain in _PARAMETER.findall(match[2])
        }
        if parameters.get("rel") != "ice-server" or len(found) == MAX_ICE_SERVERS:
            continue
        if parameters.get("credential-type", "password") != "password":
            continue
        try:
            found.append(_with_credentials(match[1], parameters))
        except ValueError:
            continue
    return tuple(found)


def _with_credentials(uri: str, parameters: dict[str, str]) -> IceServer:
    user, secret = parameters.get("username"), parameters.get("credential")
    if user and secret and uri.startswith("turn") and "@" not in uri:
        scheme, _, rest = uri.partition(":")
        uri = f"{scheme}:{quote(user, safe='')}:{quote(secret, safe='')}@{rest}"
    return parse_ice_server(uri)


def _escaped(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text)
