"""STUN and TURN servers as people and as `Link` headers write them."""

import asyncio
import os
import socket
import time
from typing import Any, cast

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from link.ice_servers import (
    MAX_ICE_SERVERS,
    IceServer,
    aioice_arguments,
    link_values,
    parse_ice_server,
    parse_ice_servers,
    parse_links,
)
from link.transport import ICE_SERVERS_TIMEOUT_S, MediaTransport


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("stun:box", IceServer("stun", "box", 3478)),
        ("stun:10.0.0.1:19302", IceServer("stun", "10.0.0.1", 19302)),
        ("stun:[fe80::1]:1", IceServer("stun", "[fe80::1]", 1)),
        ("turn:u:p@box", IceServer("turn", "box", 3478, "udp", "u", "p")),
        ("turn:u:p%40q@box:5?transport=tcp", IceServer("turn", "box", 5, "tcp", "u", "p@q")),
        ("turns:u:p@box", IceServer("turns", "box", 5349, "tcp", "u", "p")),
        ("turn:box", IceServer("turn", "box", 3478)),
    ],
)
def test_servers_are_understood(text: str, server: IceServer) -> None:
    assert parse_ice_server(text) == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box",
        "http://box",
        "stun:",
        "stun:box:0",
        "stun:box:70000",
        "stun:u:p@box",
        "turn:u@box",
        "turn:box?transport=sctp",
        "turns:box?transport=udp",
        "stun:a b",
        "stuns:box",
    ],
)
def test_what_is_no_server_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="stun:HOST"):
        parse_ice_server(text)


def test_a_list_has_an_end() -> None:
    assert parse_ice_servers("stun:a") == parse_ice_servers(["stun:a"])
    assert parse_ice_servers([]) == ()
    with pytest.raises(ValueError, match="at most"):
        parse_ice_servers(["stun:a"] * (MAX_ICE_SERVERS + 1))


def test_a_password_does_not_show_in_what_is_logged() -> None:
    server = parse_ice_server("turn:user:secret@box")
    assert "secret" not in f"{server} {server!r} {[server]}"


def test_links_are_those_of_rfc_9725() -> None:
    servers = parse_ice_servers(["stun:stun.example.net", "turn:user:pass@turn.example.net"])
    assert link_values(servers) == [
        '<stun:stun.example.net:3478>; rel="ice-server"',
        '<turn:turn.example.net:3478?transport=udp>; rel="ice-server"; username="user"; '
        'credential="pass"; credential-type="password"',
    ]


def test_links_of_others_are_understood() -> None:
    """The example of RFC 9725, section 4.6, in one header and with another link between."""
    values = [
        '<stun:stun.example.net>; rel="ice-server", <https://a/b>; rel="next"',
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; '
        'credential="my\\"Password, really"; credential-type="password"',
        '<turn:x>; rel="ice-server"; credential-type="oauth"',
        "<stun:plain.example>;rel=ice-server",
    ]
    assert parse_links(values) == (
        IceServer("stun", "stun.example.net", 3478),
        IceServer("turn", "turn.example.net", 3478, "udp", "user", 'my"Password, really'),
        IceServer("stun", "plain.example", 3478),
    )


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(words, words)
def test_credentials_survive_the_header(user: str, secret: str) -> None:
    server = IceServer("turn", "box", 3478, "udp", user, secret)
    assert parse_links(link_values([server])) == (server,)


@given(st.lists(st.text(max_size=300), max_size=4))
def test_any_header_gives_servers_or_nothing(values: list[str]) -> None:
    assert len(parse_links(values)) <= MAX_ICE_SERVERS


class StunServer(asyncio.DatagramProtocol):
    """Tells everybody one address, as a server beyond a NAT would."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = stun.parse_message(data)
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.7", 4321)
        self.transport.sendto(bytes(answer), addr)


async def test_a_stun_server_gives_the_address_beyond_the_nat() -> None:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    port = server.get_extra_info("sockname")[1]
    path = MediaTransport(
        controlling=True,
        loopback=True,
        ice_servers=[parse_ice_server(f"stun:127.0.0.1:{port}")],
    )
    try:
        found = [(item.type, item.ip, item.port) for item in (await path.gather()).candidates]
    finally:
        await path.close()
        server.close()
    assert ("srflx", "192.0.2.7", 4321) in found


@pytest.mark.parametrize("uri", ["stun:127.0.0.1", "turn:u:p@127.0.0.1"])
async def test_a_server_that_is_silent_is_not_waited_for_long(uri: str) -> None:
    await asyncio.sleep(0)
    before = len(os.listdir("/proc/self/fd"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = parse_ice_server(f"{uri}:{silent.getsockname()[1]}")
        path = MediaTransport(controlling=True, loopback=True, ice_servers=[server])
        begin = time.monotonic()
        assert (await path.gather()).candidates
        assert time.monotonic() - begin < ICE_SERVERS_TIMEOUT_S + 1
        await path.close()
    await asyncio.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_aioice_gets_the_first_of_each() -> None:
    servers = parse_ice_servers(["turn:u:p@a", "stun:b", "turns:u:p@c", "stun:d"])
    assert aioice_arguments(servers) == {
        "stun_server": ("b", 3478),
        "turn_server": ("a", 3478),
        "turn_username": "u",
        "turn_password": "p",
        "turn_ssl": False,
        "turn_transport": "udp",
    }
