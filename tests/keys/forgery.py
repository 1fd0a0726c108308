"""Forged tokens for `test_forged_tokens.py`: everything that was ever accepted somewhere and should not have been."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from portico.core.crypto import b64encode
from portico.keys.jose import JoseKey
from portico.keys.types import TokenFault

NOW = 1_767_614_400
ISSUER = "https://id.example.com"
AUDIENCE = "https://id.example.com/api/v1"
TYP = "at+jwt"
GOOD_CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "sub": "019b8d00-0000-7000-8000-00000000000a",
    "aud": AUDIENCE,
    "client_id": "portico",
    "iat": NOW - 10,
    "exp": NOW + 900,
    "jti": "019b8d00-0000-7000-8000-00000000000b",
    "scope": "",
}
MISSING = object()
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

type Signer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Forgery:
    """One forged token; `fault` where it matters which check stops it."""

    name: str
    token: str
    fault: TokenFault | None = None


@dataclass(frozen=True, slots=True)
class Ring:
    """Our keys, and an attacker's of the same kinds."""

    access: JoseKey
    id_token: JoseKey
    evil_ec: ec.EllipticCurvePrivateKey
    evil_rsa: rsa.RSAPrivateKey


def raw(value: object) -> bytes:
    """Return compact JSON; bytes stay as they are."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def token(header: object, payload: object, signer: Signer) -> str:
    """Return a compact JWS of any header and payload."""
    signed = f"{b64encode(raw(header))}.{b64encode(raw(payload))}"
    return f"{signed}.{b64encode(signer(signed.encode()))}"


def es256(key: Any) -> Signer:
    """Sign as JWS wants it: r and s, 32 bytes each."""

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    return sign


def der(key: Any) -> Signer:
    """Sign in DER, which JWS does not take."""
    return lambda message: bytes(key.sign(message, ec.ECDSA(hashes.SHA256())))


def rs256(key: Any) -> Signer:
    """Sign by PKCS #1 v1.5."""
    return lambda message: bytes(key.sign(message, padding.PKCS1v15(), hashes.SHA256()))


def ps256(key: Any) -> Signer:
    """Sign by PSS."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return lambda message: bytes(key.sign(message, pss, hashes.SHA256()))


def mac(secret: bytes, name: str = "sha256") -> Signer:
    """Authenticate with a shared secret, which here is no secret."""
    return lambda message: hmac.digest(secret, message, name)


def constant(signature: bytes) -> Signer:
    """Sign nothing."""
    return lambda _: signature


def all_forgeries(ring: Ring) -> list[Forgery]:
    """Return the corpus; none of it may be accepted as an access token."""
    families = (
        unsigned, symmetric, swapped, foreign_keys, critical, types, times, audiences, identities, payloads,
        shapes, flips, signatures, several_faults,
    )  # fmt: skip
    return [forgery for family in families for forgery in family(ring)]


def good_header(ring: Ring, **changes: object) -> dict[str, object]:
    """Return the header of a good token with `changes`; MISSING takes a member away."""
    header = {"alg": "ES256", "kid": ring.access.kid, "typ": TYP, **changes}
    return {name: value for name, value in header.items() if value is not MISSING}


def ours(ring: Ring, payload: object = None, **header: object) -> str:
    """Return a token that carries our own good signature, whatever it says."""
    private = ring.access.native.private_key
    return token(
        good_header(ring, **header), dict(GOOD_CLAIMS) if payload is None else payload, es256(private)
    )


def good_token(ring: Ring) -> str:
    """Return the token that the forgeries imitate."""
    return ours(ring)


def claiming(ring: Ring, **changes: object) -> str:
    """Return a token of ours with other claims; MISSING takes one away."""
    claims = {**GOOD_CLAIMS, **changes}
    return ours(ring, {name: value for name, value in claims.items() if value is not MISSING})


def unsigned(ring: Ring) -> Iterator[Forgery]:
    header, payload, signature = good_token(ring).split(".")
    for alg in ("none", "None", "NONE", "nOnE", "", "null", "unsecured"):
        for kind, tail in (("empty", b""), ("garbage", b"\x00" * 64)):
            forged = token(good_header(ring, alg=alg), GOOD_CLAIMS, constant(tail))
            yield Forgery(f"alg {alg or 'blank'} with {kind} signature", forged)
    stripped = b64encode(raw(good_header(ring, alg="none")))
    yield Forgery("alg none with the good signature", f"{stripped}.{payload}.{signature}")
    yield Forgery("alg none without kid", token({"alg": "none", "typ": TYP}, GOOD_CLAIMS, constant(b"x")))
    yield Forgery("good header without signature", f"{header}.{payload}.", TokenFault.MALFORMED)


def symmetric(ring: Ring) -> Iterator[Forgery]:
    public = ring.access.native.public_key
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    jwk = dict(ring.access.public_jwk)
    secrets = {
        "PEM": public.public_bytes(serialization.Encoding.PEM, spki),
        "PEM without newline": public.public_bytes(serialization.Encoding.PEM, spki).strip(),
        "DER": public.public_bytes(serialization.Encoding.DER, spki),
        "point": public.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        ),
        "OpenSSH": public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
        "JWK": raw(jwk),
        "JWK Set": raw({"keys": [jwk]}),
        "x coordinate": jwk["x"].encode(),
        "kid": ring.access.kid.encode(),
        "empty secret": b"",
    }
    for name, secret in secrets.items():
        yield Forgery(
            f"HS256 with the public key as {name}",
            token(good_header(ring, alg="HS256"), GOOD_CLAIMS, mac(secret)),
            TokenFault.ALGORITHM,
        )
    for bits in ("384", "512"):
        signer = mac(secrets["PEM"], f"sha{bits}")
        yield Forgery(f"HS{bits}", token(good_header(ring, alg=f"HS{bits}"), GOOD_CLAIMS, signer))
    yield Forgery("ES256 said, HMAC made", token(good_header(ring), GOOD_CLAIMS, mac(secrets["PEM"])))
    rsa_pem = ring.id_token.native.as_pem(private=False)
    confused = token(good_header(ring, alg="HS256", kid=ring.id_token.kid), GOOD_CLAIMS, mac(rsa_pem))
    yield Forgery("HS256 with the RSA public key", confused)


def swapped(ring: Ring) -> Iterator[Forgery]:
    evil_ed = ed25519.Ed25519PrivateKey.generate()
    for alg, signer in {
        "RS256": rs256(ring.evil_rsa),
        "PS256": ps256(ring.evil_rsa),
        "ES384": es256(ring.evil_ec),
        "ES256K": es256(ring.evil_ec),
        "EdDSA": evil_ed.sign,
        "Ed25519": evil_ed.sign,
        "es256": es256(ring.access.native.private_key),
        "ES256 ": es256(ring.access.native.private_key),
    }.items():
        forged = token(good_header(ring, alg=alg), GOOD_CLAIMS, signer)
        yield Forgery(f"alg {alg!r} for our EC key", forged, TokenFault.ALGORITHM)
    rsa_private = ring.id_token.native.private_key
    for alg, signer in {"RS256": rs256(rsa_private), "PS256": ps256(rsa_private)}.items():
        forged = token(good_header(ring, alg=alg, kid=ring.id_token.kid), GOOD_CLAIMS, signer)
        yield Forgery(f"{alg} by our key for ID tokens", forged, TokenFault.UNKNOWN_KEY)
    odd: dict[str, object] = {
        "a list": ["ES256"],
        "null": None,
        "a number": 256,
        "an object": {},
        "true": True,
    }
    for name, value in odd.items():
        yield Forgery(f"alg is {name}", ours(ring, alg=value), TokenFault.MALFORMED)
    yield Forgery("no alg", ours(ring, alg=MISSING), TokenFault.MALFORMED)


def foreign_keys(ring: Ring) -> Iterator[Forgery]:
    evil = es256(ring.evil_ec)
    numbers = ring.evil_ec.public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": b64encode(numbers.x.to_bytes(32, "big")),
        "y": b64encode(numbers.y.to_bytes(32, "big")),
    }
    yield Forgery("signed by a stranger", token(good_header(ring), GOOD_CLAIMS, evil), TokenFault.SIGNATURE)
    sources: dict[str, object] = {
        "jku": "https://evil.example.com/jwks.json",
        "x5u": "https://evil.example.com/cert.pem",
        "jwk": jwk,
        "x5c": ["MIIB"],
        "x5t": "x",
        "x5t#S256": "x",
    }
    for name, value in sources.items():
        for kid in (ring.access.kid, "evil", MISSING):
            forged = token(good_header(ring, kid=kid, **{name: value}), GOOD_CLAIMS, evil)
            yield Forgery(f"{name} with kid {kid!r}", forged, TokenFault.MALFORMED)
        yield Forgery(f"{name} although well signed", ours(ring, **{name: value}), TokenFault.MALFORMED)
    for kid in (
        "",
        "evil",
        "../../../../dev/null",
        "/dev/null",
        "file:///etc/passwd",
        "' OR '1'='1",
        "x' UNION SELECT 'secret' --",
        "| id",
        ring.access.kid + "\0",
        ring.access.kid.upper(),
        " " + ring.access.kid,
        ring.access.kid[:-1],
        "k" * 4000,
    ):
        yield Forgery(f"kid {kid[:30]!r}", token(good_header(ring, kid=kid), GOOD_CLAIMS, mac(b"")))
        yield Forgery(f"kid {kid[:30]!r}, well signed", ours(ring, kid=kid), TokenFault.UNKNOWN_KEY)
    for name, value in {"a list": [ring.access.kid], "null": None, "a number": 0, "an object": {}}.items():
        yield Forgery(f"kid is {name}", ours(ring, kid=value), TokenFault.MALFORMED)
    yield Forgery("no kid", ours(ring, kid=MISSING), TokenFault.MALFORMED)


def critical(ring: Ring) -> Iterator[Forgery]:
    """Well signed, and asking for what we do not do."""
    for crit in (["exp"], ["b64"], ["urn:example:unknown"], [], ["alg"], "exp", None, [1]):
        yield Forgery(f"crit {crit}", ours(ring, crit=crit), TokenFault.MALFORMED)
    yield Forgery("crit b64 false", ours(ring, crit=["b64"], b64=False), TokenFault.MALFORMED)
    yield Forgery("b64 false", ours(ring, b64=False), TokenFault.MALFORMED)
    yield Forgery("b64 true", ours(ring, b64=True), TokenFault.MALFORMED)
    yield Forgery("zip", ours(ring, zip="DEF"), TokenFault.MALFORMED)
    yield Forgery("cty JWT", ours(ring, cty="JWT"), TokenFault.MALFORMED)
    yield Forgery("an unknown member", ours(ring, hello="world"), TokenFault.MALFORMED)


def types(ring: Ring) -> Iterator[Forgery]:
    """Well signed by the right key, and meant for something else (RFC 8725, section 3.11)."""
    for typ in (
        "JWT",
        "jwt",
        "AT+JWT",
        "application/at+jwt",
        "id_token+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "",
    ):
        yield Forgery(f"typ {typ!r}", ours(ring, typ=typ), TokenFault.TYPE)
    yield Forgery("no typ", ours(ring, typ=MISSING), TokenFault.MALFORMED)
    yield Forgery("typ is a list", ours(ring, typ=[TYP]), TokenFault.MALFORMED)
    id_token = {"iss": ISSUER, "sub": "x", "aud": "client", "iat": NOW, "exp": NOW + 60, "nonce": "n"}
    header = {"alg": "RS256", "kid": ring.id_token.kid, "typ": "JWT"}
    yield Forgery(
        "an ID token", token(header, id_token, rs256(ring.id_token.native.private_key)), TokenFault.TYPE
    )


def times(ring: Ring) -> Iterator[Forgery]:
    for name, value in {
        "missing": MISSING, "text": str(NOW + 900), "a float": NOW + 900.5, "a whole float": float(NOW + 900),
        "true": True, "null": None, "a list": [NOW + 900], "an object": {}, "zero": 0, "negative": -1,
        "beyond the year 9999": 10**12, "beyond 64 bits": 2**64, "of 4,000 digits": int("9" * 4000),
    }.items():  # fmt: skip
        yield Forgery(f"exp is {name}", claiming(ring, exp=value), TokenFault.CLAIMS)
    for text in ("NaN", "Infinity", "-Infinity"):
        payload = raw(GOOD_CLAIMS).replace(str(NOW + 900).encode(), text.encode())
        yield Forgery(f"exp is {text}", ours(ring, payload), TokenFault.MALFORMED)
    payload = raw(GOOD_CLAIMS).replace(str(NOW + 900).encode(), b"1e400")
    yield Forgery("exp is 1e400", ours(ring, payload), TokenFault.CLAIMS)
    payload = raw(GOOD_CLAIMS).replace(str(NOW + 900).encode(), b"9" * 5000)
    yield Forgery("exp has 5,000 digits", ours(ring, payload), TokenFault.MALFORMED)
    yield Forgery("exp is now", claiming(ring, exp=NOW), TokenFault.EXPIRED)
    yield Forgery("exp is past", claiming(ring, exp=NOW - 1), TokenFault.EXPIRED)
    for name in ("nbf", "iat"):
        yield Forgery(f"{name} is text", claiming(ring, **{name: str(NOW)}), TokenFault.CLAIMS)
        yield Forgery(f"{name} is a float", claiming(ring, **{name: NOW - 0.5}), TokenFault.CLAIMS)
        yield Forgery(f"{name} is huge", claiming(ring, **{name: 2**63}), TokenFault.CLAIMS)
        yield Forgery(f"{name} is null", claiming(ring, **{name: None}), TokenFault.CLAIMS)
        yield Forgery(f"{name} is to come", claiming(ring, **{name: NOW + 61}), TokenFault.NOT_YET)
    yield Forgery("no iat", claiming(ring, iat=MISSING), TokenFault.CLAIMS)


def audiences(ring: Ring) -> Iterator[Forgery]:
    for aud in (
        "https://other.example.com/api/v1", AUDIENCE + "/", AUDIENCE[:-1], AUDIENCE.upper(), ISSUER, "*",
        " " + AUDIENCE,
    ):  # fmt: skip
        yield Forgery(f"aud {aud!r}", claiming(ring, aud=aud), TokenFault.AUDIENCE)
    for name, value in {
        "missing": MISSING, "null": None, "empty": "", "a list of ours": [AUDIENCE], "a list": ["other", AUDIENCE],
        "an empty list": [], "an object": {AUDIENCE: True}, "a number": 1,
    }.items():  # fmt: skip
        yield Forgery(f"aud is {name}", claiming(ring, aud=value), TokenFault.CLAIMS)


def identities(ring: Ring) -> Iterator[Forgery]:
    for iss in (
        "https://evil.example.com",
        ISSUER + "/",
        ISSUER + ".evil.example.com",
        ISSUER.replace("https", "http"),
    ):
        yield Forgery(f"iss {iss!r}", claiming(ring, iss=iss), TokenFault.ISSUER)
    for name in ("iss", "sub", "client_id", "jti"):
        for kind, value in {
            "missing": MISSING,
            "null": None,
            "empty": "",
            "a list": ["x"],
            "a number": 7,
        }.items():
            yield Forgery(f"{name} is {kind}", claiming(ring, **{name: value}), TokenFault.CLAIMS)


def payloads(ring: Ring) -> Iterator[Forgery]:
    """Well signed, and no object of claims."""
    twice = raw(GOOD_CLAIMS)[:-1] + b',"exp":' + str(NOW + 10**6).encode() + b"}"
    for name, payload in {
        "a list": [dict(GOOD_CLAIMS)], "text": "claims", "null": b"null", "a number": 1, "an empty object": {},
        "nothing": b" ", "no JSON": b"{", "no UTF-8": b'{"iss":"\xff"}', "UTF-16": '{"iss":"x"}'.encode("utf-16"),
        "a repeated exp": twice, "brackets": b"[" * 3000, "braces": b'{"a":' * 500, "two objects": b"{}{}",
    }.items():  # fmt: skip
        yield Forgery(f"payload is {name}", ours(ring, payload))
    doubled = b'{"alg":"none","alg":"ES256","kid":"' + ring.access.kid.encode() + b'","typ":"at+jwt"}'
    signer = es256(ring.access.native.private_key)
    yield Forgery("header repeats alg", token(doubled, GOOD_CLAIMS, signer), TokenFault.MALFORMED)
    for name, header in {"a list": b"[]", "brackets": b"[" * 4000, "text": b'"x"', "nothing": b" "}.items():
        yield Forgery(f"header is {name}", token(header, GOOD_CLAIMS, signer), TokenFault.MALFORMED)


def shapes(ring: Ring) -> Iterator[Forgery]:
    good = good_token(ring)
    header, payload, signature = good.split(".")
    for name, text in {
        "empty": "", "a dot": ".", "two dots": "..", "three dots": "...", "header": header,
        "no signature": f"{header}.{payload}",
        "no header": f".{payload}.{signature}", "no payload": f"{header}..{signature}", "a fourth part": f"{good}.x",
        "five parts": f"{good}.{payload}.{signature}", "a trailing dot": good + ".", "a leading dot": "." + good,
        "a space before": " " + good, "a space after": good + " ", "a newline": good + "\n", "a NUL": good + "\0",
        "padding": good + "=", "with Bearer": "Bearer " + good, "quoted": f'"{good}"',
        "in full width": good.replace("e", "ｅ"),
        "a lone surrogate": good + "\ud800", "JSON serialisation": json.dumps({"payload": payload, "signatures": []}),
        "1 MB": "A" * 10**6, "1 MB in three parts": ".".join(["A" * 333_333] * 3), "a million dots": "." * 10**6,
        "8 kB and one": good + "A" * (8193 - len(good)),
    }.items():  # fmt: skip
        yield Forgery(name, text, TokenFault.MALFORMED)
    for index, name in enumerate(("header", "payload", "signature")):
        parts = [header, payload, signature]
        for cut in (1, 2, 3, 4, len(parts[index]) // 2):
            parts[index] = good.split(".")[index][:-cut]
            yield Forgery(f"{name} cut by {cut}", ".".join(parts))
        for tail in ("A", "AA", "AAAA", "_"):
            parts[index] = good.split(".")[index] + tail
            yield Forgery(f"{name} extended by {tail}", ".".join(parts))


def flips(ring: Ring) -> Iterator[Forgery]:
    """Every character of the signature, and some of the rest, changed by its lowest bit."""
    good = good_token(ring)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    places = [place for place in range(len(good)) if place % 7 == 0 or place > good.rindex(".")]
    for place in places:
        if good[place] != ".":
            other = alphabet[alphabet.index(good[place]) ^ 1]
            yield Forgery(f"flip at {place}", good[:place] + other + good[place + 1 :])


def signatures(ring: Ring) -> Iterator[Forgery]:
    order = P256_ORDER.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    for name, signature in {
        "zeros": bytes(64), "r and s the order": order * 2, "r one, s the order": one + order, "one byte": b"\x00",
        "63 zeros": bytes(63), "65 zeros": bytes(65), "96 zeros": bytes(96), "a hash": hashlib.sha256(b"").digest(),
    }.items():  # fmt: skip
        forged = token(good_header(ring), GOOD_CLAIMS, constant(signature))
        yield Forgery(f"signature of {name}", forged, TokenFault.SIGNATURE)
    in_der = token(good_header(ring), GOOD_CLAIMS, der(ring.access.native.private_key))
    yield Forgery("signature in DER", in_der, TokenFault.SIGNATURE)
    good = good_token(ring).split(".")
    other = claiming(ring, sub="019b8d00-0000-7000-8000-0000000000ff").split(".")
    yield Forgery("signature of another token", f"{other[0]}.{other[1]}.{good[2]}", TokenFault.SIGNATURE)


def several_faults(ring: Ring) -> Iterator[Forgery]:
    """The signature is judged before any claim, whatever else is wrong (CVE-2024-51744)."""
    evil = es256(ring.evil_ec)
    wrong = {**GOOD_CLAIMS, "exp": NOW - 10**6, "aud": "other", "iss": "other", "nbf": NOW + 10**6}
    yield Forgery("stranger, expired, elsewhere", token(good_header(ring), wrong, evil), TokenFault.SIGNATURE)
    yield Forgery("well signed, expired, elsewhere", ours(ring, wrong), TokenFault.ISSUER)
    both = token(good_header(ring, alg="none", jku="https://evil"), wrong, constant(b"x"))
    yield Forgery("none, jku, expired", both, TokenFault.MALFORMED)
