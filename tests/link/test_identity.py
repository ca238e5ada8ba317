"""The key of a box: made once, kept to itself, and refused where it cannot be trusted."""

import os
import ssl
import threading
from pathlib import Path

import pytest
from aiortc import RTCDtlsFingerprint

from link.errors import IdentityError
from link.identity import announced, clean_name, digest, load_or_create, short

A, B = "aa:" * 31 + "aa", "BB:" * 31 + "BB"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_key_is_made_once_and_its_owner_alone_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    first, again = load_or_create(path), load_or_create(path)
    assert first.fingerprint == again.fingerprint
    assert mode(path) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["identity.pem"]


def test_programs_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    path, found = tmp_path / "identity.pem", []
    threads = [
        threading.Thread(target=lambda: found.append(load_or_create(path).fingerprint))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_fingerprint_is_the_one_that_dtls_and_tls_show(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path / "identity.pem")
    assert announced(identity.dtls_certificate.getFingerprints()) == identity.fingerprint
    pem = identity.path.read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    assert digest(der) == identity.fingerprint
    assert identity.server_context().minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused_with_the_command(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "identity.pem"
    load_or_create(path)
    path.chmod(bits)
    with pytest.raises(IdentityError, match=f"chmod 600 {path}"):
        load_or_create(path)


@pytest.mark.parametrize("damage", ["empty", "half", "text", "another key"])
def test_a_damaged_key_says_how_to_begin_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "identity.pem"
    load_or_create(path)
    load_or_create(tmp_path / "other.pem")
    pem, other = path.read_bytes(), (tmp_path / "other.pem").read_bytes()
    cut = pem.index(b"-----BEGIN CERT")
    path.write_bytes(
        {
            "empty": b"",
            "half": pem[: cut + 200],
            "text": b"hello",
            "another key": other[: other.index(b"-----BEGIN CERT")] + pem[cut:],
        }[damage]
    )
    with pytest.raises(IdentityError, match=f"mv {path}"):
        load_or_create(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="No such file"):
        load_or_create(tmp_path / "no" / "identity.pem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(IdentityError, match="denied"):
        load_or_create(tmp_path / "identity.pem")


@pytest.mark.parametrize(
    ("prints", "expected"),
    [
        ([], None),
        ([("sha-256", A)], "aa" * 32),
        ([("SHA-256", B), ("sha-512", A)], "bb" * 32),
        ([("sha-256", A), ("sha-256", A.upper())], "aa" * 32),
        ([("sha-256", A), ("sha-256", B)], None),
        ([("sha-256", "aa:bb")], None),
        ([("sha-1", A)], None),
    ],
)
def test_an_sdp_announces_one_identity_or_none(
    prints: list[tuple[str, str]], expected: str | None
) -> None:
    assert announced([RTCDtlsFingerprint(*item) for item in prints]) == expected


def test_what_people_and_files_see_is_short_and_clean() -> None:
    assert short("0123456789abcdef" * 4) == "0123-4567-89ab-cdef"
    assert clean_name("camera 7\n\x1b[2J") == "camera72J"
    assert clean_name("x" * 100) == "x" * 64
    assert clean_name(" \n") is clean_name(None) is None
