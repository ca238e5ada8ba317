"""Who a box is: one key for its whole life, and the SHA-256 of its certificate as its name.

The certificate is shown twice: by the viewer in TLS, and by both ends in the DTLS handshake of
every session, where `a=fingerprint` of the SDP announces it (RFC 8122, RFC 8842). Whoever ends that
handshake holds the key: no further proof is needed, and none can be replayed.

The certificate is self-signed and never expires; neither its dates nor its names mean anything.
What counts is whether the other end knows the fingerprint.
"""

import hashlib
import re
import ssl
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from aiortc import RTCCertificate, RTCDtlsFingerprint
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning

from link.errors import IdentityError
from link.files import locked, write_atomically

FINGERPRINT_CHARS = 64  # SHA-256, in hex without colons
NAME_MAX_CHARS = 64
FILE_MAX_BYTES = 16 * 1024
# Elliptic Diffie-Hellman alone: RFC 8827, section 6.5, and the same for RSA certificates, which
# WebRTC's generateCertificate makes as well.
DTLS_CIPHERS = b":".join(
    b"ECDHE-" + key + suite
    for suite in (b"-AES128-GCM-SHA256", b"-CHACHA20-POLY1305", b"-AES128-SHA", b"-AES256-SHA")
    for key in (b"ECDSA", b"RSA")
)
_BEGIN = datetime(2000, 1, 1, tzinfo=timezone.utc)  # boxes without a clock begin before today
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)  # RFC 5280, section 4.1.2.5


@dataclass(frozen=True)
class Box:
    """The other end: the fingerprint of its certificate, and what it calls itself.

    Without a name it is a program that makes a new key for every session.
    """

    fingerprint: str
    name: str | None


class Identity:
    """The key and the certificate of this box; `path` holds both, as PEM."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, path: Path
    ) -> None:
        self.path = path
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        self.dtls_certificate = RTCCertificate(key, certificate)

    def server_context(self) -> ssl.SSLContext:
        """TLS for a server that shows this certificate. Raises IdentityError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.path)
        except (OSError, ssl.SSLError) as error:
            raise IdentityError(_damaged(self.path, str(error))) from error
        return context


def load_or_create(path: Path) -> Identity:
    """The identity in the file, made now if there is none; the folder must exist.

    Raises IdentityError, with what to do, for a file that others can read, that cannot be read
    or written, or that is damaged.
    """
    try:
        with locked(path.parent):
            if not path.exists():
                write_atomically(path, _new_pem())
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise IdentityError(
                f"{path} holds the key of this box and others can read it (mode {mode:03o}): "
                f"chmod 600 {path}"
            )
        with path.open("rb") as file:
            pem = file.read(FILE_MAX_BYTES)
    except OSError as error:
        raise IdentityError(
            f"{path}: cannot read or make the key of this box: {error.strerror}"
        ) from error
    return _parsed(pem, path)


def short(fingerprint: str) -> str:
    """A fingerprint as people compare it: its first 64 bits."""
    return "-".join(fingerprint[start : start + 4] for start in range(0, 16, 4))


def digest(certificate_der: bytes) -> str:
    """The fingerprint of a certificate."""
    return hashlib.sha256(certificate_der).hexdigest()


def announced(fingerprints: Sequence[RTCDtlsFingerprint]) -> str | None:
    """The SHA-256 fingerprint that an SDP announces; None if there is none, or more than one."""
    found = {
        item.value.replace(":", "").lower()
        for item in fingerprints
        if item.algorithm.lower() == "sha-256"
    }
    value = found.pop() if len(found) == 1 else ""
    return value if re.fullmatch(r"[0-9a-f]{64}", value) else None


def clean_name(name: str | None) -> str | None:
    """A name as it may stand in files and logs; None if nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9._-]", "", name or "")[:NAME_MAX_CHARS] or None


def _new_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "denc")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_NEVER)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ) + certificate.public_bytes(Encoding.PEM)


def _parsed(pem: bytes, path: Path) -> Identity:
    try:
        # RSA is refused below: OpenSSL need not look for seconds whether its factors are primes
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)  # soon an error anyway
            certificate = x509.load_pem_x509_certificate(pem)
        certified = certificate.public_key()
    except (
        CryptographyDeprecationWarning,
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
    ) as error:
        raise IdentityError(_damaged(path, "it holds no key and certificate")) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityError(_damaged(path, "it is no key of an elliptic curve"))
    if key.public_key() != certified:
        raise IdentityError(_damaged(path, "key and certificate do not belong together"))
    return Identity(key, certificate, path)


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged ({why}). To begin anew: mv {path} {path}.damaged ; the other boxes "
        "must then forget this one (denc-stream forget HOST, denc-view forget NAME) and pair again"
    )
