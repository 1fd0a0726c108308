"""Certificates of clients, made as a certificate authority or the client itself would make them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

NOW = 1_767_614_400


def certificate(
    subject: str = "CN=client,O=Example\\, Inc.,C=DE",
    *,
    names: Sequence[x509.GeneralName] = (),
    begins: int = NOW - 86_400,
    ends: int = NOW + 86_400,
    key: Any = None,
) -> x509.Certificate:
    """Return a certificate that its own key signed; `key` is a private JWK of P-256."""
    private = ECKey.import_key(dict(key)).private_key if key else ec.generate_private_key(ec.SECP256R1())
    assert private is not None
    name = x509.Name.from_rfc4514_string(subject)
    builder = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=private.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime.fromtimestamp(begins, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(ends, dt.UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(private, hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.DER)
