"""Mutual TLS (RFC 8705): clients that prove themselves by certificate, and tokens bound to one.

TLS ends at a proxy that the operator trusts; it has checked possession of the key and, for `tls_client_auth`, the
chain up to a certificate authority of his choice (section 2.1). What arrives here is the certificate in a header,
which is believed only from that proxy. Whose it is, is decided here.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from portico.core.crypto import b64encode, same
from portico.oauth.protocol.jose import PublicJwk
from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey

MAX_HEADER_CHARACTERS = 16_384
MAX_SUBJECT_CHARACTERS = 1024
CONFIRMATION = "x5t#S256"
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*", re.ASCII)
_STRUCTURED = re.compile(r"\s*:([A-Za-z0-9+/=]+):\s*", re.ASCII)
_SPACE = re.compile(r"\s+")


class SubjectKind(StrEnum):
    """By what the certificate of a client is told, as its metadata calls it (section 2.1.2)."""

    SUBJECT_DN = "tls_client_auth_subject_dn"
    SAN_DNS = "tls_client_auth_san_dns"
    SAN_URI = "tls_client_auth_san_uri"
    SAN_IP = "tls_client_auth_san_ip"
    SAN_EMAIL = "tls_client_auth_san_email"


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """The one thing that the certificate of a client must say."""

    kind: SubjectKind
    value: str


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a proxy passed on; `thumbprint` is its `x5t#S256` (section 3.1)."""

    parsed: x509.Certificate
    der: bytes
    thumbprint: str


def parse_certificate(header: str) -> ClientCertificate:
    """Read the certificate that a proxy put into a header.

    Taken are PEM, PEM with percent-encoding (nginx: `$ssl_client_escaped_cert`), and `:base64:` (RFC 9440, section
    2.1); one certificate, the client's own.

    Raises:
        Refused: `invalid_client`.
    """
    if len(header) > MAX_HEADER_CHARACTERS:
        raise _not_client("the certificate is too large")
    text = unquote(header) if header.startswith("-----BEGIN%20") else header
    match = _PEM.fullmatch(text) or _STRUCTURED.fullmatch(text)
    if match is None:
        raise _not_client("there is no single certificate in the header")
    try:
        der = base64.b64decode(_SPACE.sub("", match[1]), validate=True)
        parsed = x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise _not_client("the certificate cannot be read", str(error)) from None
    return ClientCertificate(parsed, der, certificate_thumbprint(der))


def certificate_thumbprint(der: bytes) -> str:
    """Return the base64url SHA-256 of a certificate in DER, as it stands in `cnf` (section 3.1)."""
    return b64encode(hashlib.sha256(der).digest())


def check_validity(certificate: ClientCertificate, now: float) -> None:
    """Check the dates of a certificate; for a self-signed one nobody else does (section 2.2).

    Raises:
        Refused: `invalid_client`.
    """
    parsed = certificate.parsed
    first, last = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    if not first <= now <= last:
        raise _not_client("the certificate is not valid now", f"{first} to {last}, now {now}")


def read_subject_rule(metadata: Mapping[str, Any]) -> SubjectRule:
    """Return by what the certificate of a `tls_client_auth` client is told: exactly one thing (section 2.1.2).

    `metadata` is that of the client, by the names of RFC 7591; what is missing or None is not said.

    Raises:
        Refused: `invalid_client_metadata` for none, several, or a value that no certificate can have.
    """
    given = {kind: metadata[kind] for kind in SubjectKind if metadata.get(kind) is not None}
    if len(given) != 1:
        raise _bad_metadata("exactly one of the tls_client_auth_ members is required")
    ((kind, value),) = given.items()
    if not isinstance(value, str) or not _is_sensible(kind, value):
        raise _bad_metadata(f"{kind} is not a value that a certificate can have")
    return SubjectRule(kind, value)


def check_subject(certificate: ClientCertificate, rule: SubjectRule) -> None:
    """Check that a certificate is that of a `tls_client_auth` client (section 2.1).

    Raises:
        Refused: `invalid_client`.
    """
    try:
        is_it = MATCHERS[rule.kind](certificate.parsed, rule.value)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise _not_client("the certificate cannot be read", str(error)) from None
    if not is_it:
        raise _not_client("the certificate is of another subject", f"expected {rule.kind}")


def check_self_signed(certificate: ClientCertificate, keys: Sequence[PublicJwk]) -> None:
    """Check that a certificate is one that a `self_signed_tls_client_auth` client registered (section 2.2).

    Its public key is one of the client's keys; where that key has certificates (`x5c`), it is the first of them.

    Raises:
        UnknownKey: it is none of them; they may have changed.
    """
    public_key = _public_bytes(certificate.parsed)
    for key in keys:
        is_same_key = public_key is not None and key_bytes(key) == public_key
        if is_same_key and (not key.x5c or _is_certificate(key.x5c[0], certificate.der)):
            return
    raise UnknownKey(ErrorCode.INVALID_CLIENT, "The certificate is none of those that the client registered")


def check_binding(certificate: ClientCertificate | None, bound: str | None, error: ErrorCode) -> None:
    """Check that what is bound to a certificate comes over a connection with that certificate (section 3).

    `bound` is the `x5t#S256` of the token's or grant's confirmation; `error` is `invalid_token` for an access token,
    `invalid_grant` for a code or a refresh token (section 4).

    Raises:
        Refused: with `error`.
    """
    if bound is None:
        return
    if certificate is None or not same(certificate.thumbprint.encode(), bound.encode()):
        raise Refused(error, "This is bound to the certificate of the client")


def key_bytes(key: PublicJwk) -> bytes:
    """Return a public key as a certificate holds it (SubjectPublicKeyInfo in DER)."""
    return key.native.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _not_client(description: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT, f"Client certificate: {description}", detail)


def _bad_metadata(description: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT_METADATA, description)


def _public_bytes(certificate: x509.Certificate) -> bytes | None:
    """Return the key of a certificate, or None for one of a kind that we do not know."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _is_certificate(text: str, der: bytes) -> bool:
    """Compare with an entry of `x5c`: base64, not base64url (RFC 7517, section 4.7)."""
    return same(base64.b64encode(der), text.encode(errors="replace"))


ATTRIBUTE_NAMES: Mapping[str, x509.ObjectIdentifier] = {
    "CN": NameOID.COMMON_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "businessCategory": NameOID.BUSINESS_CATEGORY,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "jurisdictionC": NameOID.JURISDICTION_COUNTRY_NAME,
}
"""RFC 4514, section 3, and what certificates of companies have besides; others are written as numbers."""
_SPELLINGS = {
    spelling: oid for name, oid in ATTRIBUTE_NAMES.items() for spelling in (name, name.lower(), name.upper())
}


def _name(text: str) -> x509.Name:
    """Read a distinguished name (RFC 4514).

    Raises:
        ValueError: it is none, or empty, which a certificate without a subject would match.
    """
    name = x509.Name.from_rfc4514_string(text[: MAX_SUBJECT_CHARACTERS + 1], _SPELLINGS)
    if not name.rdns or len(text) > MAX_SUBJECT_CHARACTERS:
        raise ValueError("no distinguished name")
    return name


def _has_subject(certificate: x509.Certificate, value: str) -> bool:
    """Compare part by part, not as texts: one name has many spellings (RFC 4514, section 5.2)."""
    return certificate.subject == _name(value)


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _has_dns(certificate: x509.Certificate, value: str) -> bool:
    names = _alternatives(certificate)
    return names is not None and value.lower() in [
        name.lower() for name in names.get_values_for_type(x509.DNSName)
    ]


def _has_uri(certificate: x509.Certificate, value: str) -> bool:
    names = _alternatives(certificate)
    return names is not None and value in names.get_values_for_type(x509.UniformResourceIdentifier)


def _has_ip(certificate: x509.Certificate, value: str) -> bool:
    """Compare as numbers: `::1` has many spellings (section 2.1.2)."""
    names = _alternatives(certificate)
    return names is not None and ip_address(value) in names.get_values_for_type(x509.IPAddress)


def _has_email(certificate: x509.Certificate, value: str) -> bool:
    """Compare the local part exactly and the domain without regard to case (RFC 5280, section 7.5)."""
    names = _alternatives(certificate)
    return names is not None and _plain_email(value) in [
        _plain_email(name) for name in names.get_values_for_type(x509.RFC822Name)
    ]


def _plain_email(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


MATCHERS: Mapping[SubjectKind, Callable[[x509.Certificate, str], bool]] = {
    SubjectKind.SUBJECT_DN: _has_subject,
    SubjectKind.SAN_DNS: _has_dns,
    SubjectKind.SAN_URI: _has_uri,
    SubjectKind.SAN_IP: _has_ip,
    SubjectKind.SAN_EMAIL: _has_email,
}


def _is_sensible(kind: SubjectKind, value: str) -> bool:
    """Tell whether a value can ever match, so that a typing error is found when the client is registered."""
    try:
        if kind is SubjectKind.SUBJECT_DN:
            _name(value)
        if kind is SubjectKind.SAN_IP:
            ip_address(value)
    except ValueError:
        return False
    return 0 < len(value) <= MAX_SUBJECT_CHARACTERS
