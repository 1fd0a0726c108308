"""Forged tokens of other parties (SECURITY_BAR, check 5): none is believed, and none costs much."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, RSAKey

from portico.core.crypto import b64encode
from portico.oauth.protocol.jose import (
    ASYMMETRIC,
    HMAC,
    Fault,
    Policy,
    Rejected,
    SharedSecrets,
    parse_jwks,
    sign,
    sign_with_secret,
    verify,
)
from tests.keys.forgery import constant, der, es256, mac, raw, token
from tests.oauth.protocol.foreign_keys import ec_key, public, rsa_key

CLAIMS = {"iss": "client", "sub": "client", "aud": "https://id.example.com", "exp": 1_767_614_460}
POLICY = Policy(algorithms=ASYMMETRIC | frozenset(HMAC), types=frozenset({"", "jwt"}))
"""Wider than any caller's: the keys alone must keep the families apart."""
SLOWEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Forgery:
    name: str
    token: str
    fault: Fault | None = None


def keys() -> Any:
    return parse_jwks({"keys": [public(ec_key(), kid="ec"), public(rsa_key(), kid="rsa")]})


def genuine() -> str:
    return sign(CLAIMS, ec_key(), "ES256", header={"kid": "ec"})


def ours(header: object, payload: object = CLAIMS) -> str:
    """Return a token that the client's own key signed well, whatever it says."""
    return token(header, payload, es256(ECKey.import_key(dict(ec_key())).private_key))


def unsigned() -> Iterator[Forgery]:
    _, payload, signature = genuine().split(".")
    for alg in ("none", "None", "NONE", "nOnE", "", "unsecured"):
        forged = token({"alg": alg, "kid": "ec"}, CLAIMS, constant(b"\0" * 64))
        yield Forgery(f"alg {alg!r} with garbage", forged, Fault.ALGORITHM)
        yield Forgery(f"alg {alg!r} without signature", forged.rpartition(".")[0] + ".", Fault.MALFORMED)
    for value in (None, 1, True, ["ES256"], {"ES256": 1}):
        yield Forgery(f"alg is {value!r}", ours({"alg": value}), Fault.ALGORITHM)
    yield Forgery("no alg", ours({"kid": "ec"}), Fault.ALGORITHM)
    none = b64encode(raw({"alg": "none", "kid": "ec"}))
    yield Forgery("alg none with the good signature", f"{none}.{payload}.{signature}", Fault.ALGORITHM)


def confused() -> Iterator[Forgery]:
    """Public material as a shared secret (CVE-2026-48526, CVE-2024-33663)."""
    for name, private in {"ec": ec_key(), "rsa": rsa_key()}.items():
        native = (ECKey if name == "ec" else RSAKey).import_key(dict(private))
        public_key = native.public_key
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        secrets = {
            "PEM": public_key.public_bytes(serialization.Encoding.PEM, spki),
            "stripped PEM": public_key.public_bytes(serialization.Encoding.PEM, spki).strip(),
            "DER": public_key.public_bytes(serialization.Encoding.DER, spki),
            "JWK": raw(public(private)),
            "kid": name.encode(),
            "nothing": b"",
        }
        for what, secret in secrets.items():
            for alg, hash_name in HMAC.items():
                forged = token({"alg": alg, "kid": name}, CLAIMS, mac(secret, hash_name))
                yield Forgery(f"{alg} with the {what} of {name}", forged, Fault.ALGORITHM)
    yield Forgery("ES256 with the kid of RSA", ours({"alg": "ES256", "kid": "rsa"}), Fault.UNKNOWN_KEY)
    for alg in ("ES384", "ES512", "EdDSA", "ES256K", "RS256", "RSA1_5", "dir", "A128GCM"):
        yield Forgery(f"ES256 that says {alg}", ours({"alg": alg, "kid": "ec"}))
    rs = sign(CLAIMS, rsa_key(), "RS256", header={"kid": "rsa"}).split(".")
    ps = b64encode(raw({"alg": "PS256", "kid": "rsa"}))
    yield Forgery("RS256 that says PS256", f"{ps}.{rs[1]}.{rs[2]}", Fault.SIGNATURE)


def foreign() -> Iterator[Forgery]:
    """Keys that the token brings along (CVE-2018-0114 and its heirs)."""
    evil = ec_key("evil")
    jwk, certificate = public(evil, kid="ec"), "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxz"
    headers: dict[str, dict[str, object]] = {
        "jwk": {"jwk": jwk},
        "jku": {"jku": "https://evil.example/jwks.json"},
        "jku to a file": {"jku": "file:///dev/zero"},
        "x5u": {"x5u": "https://evil.example/cert.pem"},
        "x5c": {"x5c": [certificate]},
        "x5c and x5t": {"x5c": [certificate], "x5t#S256": "AAAA"},
    }
    for name, header in headers.items():
        yield Forgery(name, sign(CLAIMS, evil, "ES256", header=header), Fault.HEADER)
        named = sign(CLAIMS, evil, "ES256", header={"kid": "ec", **header})
        yield Forgery(f"{name}, with our kid", named, Fault.HEADER)
    yield Forgery("another's key", sign(CLAIMS, evil, "ES256", header={"kid": "ec"}), Fault.SIGNATURE)
    yield Forgery("another's key, no kid", sign(CLAIMS, evil, "ES256"), Fault.UNKNOWN_KEY)
    for kid in (7, None, "", "k" * 257, ["ec"], {"kid": "ec"}):
        yield Forgery(f"kid {kid!r:.20}", ours({"alg": "ES256", "kid": kid}), Fault.HEADER)


def critical() -> Iterator[Forgery]:
    """RFC 7515, section 4.1.11: what must be understood and is not (CVE-2025-59420)."""
    for crit in (["b64"], ["exp"], [], "b64", None, ["alg"], ["x"]):
        yield Forgery(f"crit {crit!r}", ours({"alg": "ES256", "kid": "ec", "crit": crit}), Fault.HEADER)
    for b64 in (True, False, None, "false"):
        yield Forgery(f"b64 {b64!r}", ours({"alg": "ES256", "kid": "ec", "b64": b64}), Fault.HEADER)
    yield Forgery("zip", ours({"alg": "ES256", "kid": "ec", "zip": "DEF"}), Fault.HEADER)


def payloads() -> Iterator[Forgery]:
    """Well signed, and no object of claims."""
    good = {"alg": "ES256", "kid": "ec"}
    for name, payload in {
        "a list": [CLAIMS], "text": "claims", "null": b"null", "nothing": b" ", "no JSON": b"{",
        "no UTF-8": b'{"iss":"\xff"}', "UTF-16": '{"iss":"x"}'.encode("utf-16"), "two objects": b"{}{}",
        "a repeated exp": raw(CLAIMS)[:-1] + b',"exp":9999999999}', "brackets": b"[" * 6000,
        "braces": b'{"a":' * 1500, "a lone surrogate": b'{"iss":"\\ud800"}', "a NUL": b'{"iss":"\\u0000"}',
        "NaN": b'{"exp":NaN}', "an endless number": b'{"exp":' + b"1" * 5000 + b"}",
    }.items():  # fmt: skip
        yield Forgery(f"payload is {name}", ours(good, payload), Fault.MALFORMED)
    doubled = b'{"alg":"none","alg":"ES256","kid":"ec"}'
    yield Forgery("header repeats alg", ours(doubled), Fault.MALFORMED)
    for name, header in {"a list": b"[]", "brackets": b"[" * 6000, "text": b'"x"', "nothing": b" "}.items():
        yield Forgery(f"header is {name}", ours(header), Fault.MALFORMED)


def shapes() -> Iterator[Forgery]:
    good = genuine()
    header, payload, signature = good.split(".")
    for name, text in {
        "empty": "", "two dots": "..", "header": header, "no signature": f"{header}.{payload}",
        "empty signature": f"{header}.{payload}.", "no header": f".{payload}.{signature}",
        "no payload": f"{header}..{signature}", "a fourth part": f"{good}.x", "five parts": f"{good}.{payload}.x",
        "a space after": good + " ", "a newline": good + "\n", "a NUL": good + "\0", "padding": good + "=",
        "standard alphabet": good.replace("-", "+").replace("_", "/") + "+", "in full width": good.replace("e", "ｅ"),
        "a lone surrogate": good + "\ud800", "JSON": json.dumps({"payload": payload, "signatures": []}),
        "1 MB": "A" * 10**6, "1 MB in three parts": ".".join(["A" * 333_333] * 3), "a million dots": "." * 10**6,
        "one too many": good + "A" * (16_385 - len(good)),
    }.items():  # fmt: skip
        yield Forgery(name, text, Fault.MALFORMED)
    for index, part in enumerate((header, payload, signature)):
        for cut in (1, 2, 3, len(part) // 2):
            parts = [header, payload, signature]
            parts[index] = part[:-cut]
            yield Forgery(f"part {index} cut by {cut}", ".".join(parts))
        for tail in ("A", "AA", "AAAA"):
            parts = [header, payload, signature]
            parts[index] = part + tail
            yield Forgery(f"part {index} longer by {tail}", ".".join(parts))


def signatures() -> Iterator[Forgery]:
    good = {"alg": "ES256", "kid": "ec"}
    order = bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")
    one = (1).to_bytes(32)
    for name, signature in {
        "zeros": bytes(64), "the order twice": order * 2, "one and the order": one + order, "one byte": b"\0",
        "63 zeros": bytes(63), "65 zeros": bytes(65), "a hash": hashlib.sha256(b"").digest(),
    }.items():  # fmt: skip
        yield Forgery(f"signature of {name}", token(good, CLAIMS, constant(signature)), Fault.SIGNATURE)
    native = ECKey.import_key(dict(ec_key())).private_key
    yield Forgery("signature in DER", token(good, CLAIMS, der(native)), Fault.SIGNATURE)
    other = sign({**CLAIMS, "sub": "other"}, ec_key(), "ES256", header={"kid": "ec"}).split(".")
    swapped = f"{other[0]}.{other[1]}.{genuine().split('.')[2]}"
    yield Forgery("signature of another token", swapped, Fault.SIGNATURE)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = genuine()
    trailing = text[:-1] + last[last.index(text[-1]) | 1]
    yield Forgery("trailing bits in the signature", trailing, Fault.MALFORMED)
    for place in range(text.rindex(".") + 1, len(text), 5):
        flipped = text[:place] + last[last.index(text[place]) ^ 32] + text[place + 1 :]
        yield Forgery(f"flip at {place}", flipped)


FAMILIES = (unsigned, confused, foreign, critical, payloads, shapes, signatures)


def test_the_genuine_token_is_believed() -> None:
    assert verify(genuine(), keys(), POLICY).claims == CLAIMS
    assert verify(ours({"alg": "ES256", "kid": "ec"}), keys(), POLICY).claims == CLAIMS


@pytest.mark.bar("CHECK-5", "CVE-2025-59420", "CVE-2026-48526", "CVE-2026-48523", "CVE-2024-33663")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_no_forgery_is_believed_and_none_costs_much(family: Any) -> None:
    client_keys, believed, wrong, slow = keys(), [], [], []
    for forgery in family():
        begun = time.perf_counter()
        try:
            verify(forgery.token, client_keys, POLICY)
            believed.append(forgery.name)
        except Rejected as rejected:
            if forgery.fault not in (None, rejected.fault):
                wrong.append((forgery.name, rejected.fault))
        if time.perf_counter() - begun > SLOWEST_SECONDS:
            slow.append(forgery.name)

    assert (believed, wrong, slow) == ([], [], [])


def test_a_public_key_algorithm_takes_no_shared_secret() -> None:
    with pytest.raises(Rejected, match="algorithm"):
        verify(genuine(), SharedSecrets((b"s" * 64,)), POLICY)


def test_a_shared_secret_that_is_wrong_is_refused() -> None:
    forged = sign_with_secret(CLAIMS, b"t" * 64, "HS256")

    with pytest.raises(Rejected, match="signature"):
        verify(forged, SharedSecrets((b"s" * 64,)), POLICY)
