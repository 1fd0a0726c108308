"""Signing as a client does, with a private JWK: for tests, and for our own side as a client of others."""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey

from portico.core.crypto import b64encode
from portico.oauth.protocol.jose.algorithms import HMAC, MODELS, key_kind
from portico.oauth.protocol.jose.keys import Native


def sign(
    claims: Mapping[str, Any],
    private_jwk: Mapping[str, Any],
    algorithm: str,
    *,
    header: Mapping[str, Any] | None = None,
) -> str:
    """Return a compact JWS of `claims`; `header` is added to `alg`.

    Raises:
        ValueError: the key is of another kind than the algorithm takes.
    """
    kinds: Mapping[str, type[Native]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = key_kind(algorithm)
    if private_jwk.get("kty") != kind.kty or kind.crv not in (None, private_jwk.get("crv")):
        raise ValueError(f"{algorithm} takes a key of kind {kind.kty}")
    key = kinds[kind.kty].import_key(dict(private_jwk))
    signing_input = _signing_input(claims, algorithm, header)
    return f"{signing_input}.{b64encode(MODELS[algorithm].sign(signing_input.encode(), key))}"


def sign_with_secret(
    claims: Mapping[str, Any], secret: bytes, algorithm: str, *, header: Mapping[str, Any] | None = None
) -> str:
    """Return a compact JWS with an HS* code (`client_secret_jwt`)."""
    signing_input = _signing_input(claims, algorithm, header)
    return f"{signing_input}.{b64encode(hmac.digest(secret, signing_input.encode(), HMAC[algorithm]))}"


def _signing_input(claims: Mapping[str, Any], algorithm: str, header: Mapping[str, Any] | None) -> str:
    parts = ({"alg": algorithm, **(header or {})}, claims)
    return ".".join(
        b64encode(json.dumps(part, separators=(",", ":"), allow_nan=False).encode()) for part in parts
    )
