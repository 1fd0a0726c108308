"""Tokens that are bound to their sender, by a key (RFC 9449) or a certificate (RFC 8705)."""

import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from portico.oauth.protocol.jose import sign, thumbprint
from portico.oauth.protocol.rfc8705_mutual_tls import certificate_thumbprint
from portico.oauth.protocol.rfc9449_dpop import Proof, token_hash
from portico.resource_server.errors import ServerUnavailable
from portico.resource_server.verifying.replays import OwnProofs
from portico.testing.clock import FrozenClock
from tests.resource_server.conftest import API, Api, Declaring, Issuer, key_pair, public_half

pytestmark = pytest.mark.anyio

HOLDER, THIEF = key_pair("holder"), key_pair("thief")
POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/notes"'


def bound_token(issuer: Issuer, **changes: Any) -> str:
    return issuer.token(cnf={"jkt": thumbprint(HOLDER)}, **changes)


def proof(issuer: Issuer, token: str, key: dict[str, Any] = HOLDER, **changes: Any) -> str:
    claims = {
        "htm": "GET",
        "htu": API,
        "iat": int(issuer.clock.now().timestamp()),
        "jti": "1",
        "ath": token_hash(token),
    }
    header = {"typ": "dpop+jwt", "jwk": public_half(key)}
    return sign(
        {name: value for name, value in (claims | changes).items() if value is not None},
        key,
        "ES256",
        header=header,
    )


async def shown(api: Api, token: str, *proofs: str, scheme: str = "DPoP") -> httpx2.Response:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", each) for each in proofs)]
    return await api.client.get("/notes", headers=headers)


@pytest.mark.bar("A15-15.1")
@pytest.mark.parametrize("scheme", ["DPoP", "dpop"])
async def test_token_with_its_proof_passes(small_api: Api, issuer: Issuer, scheme: str) -> None:
    token = bound_token(issuer)

    assert (await shown(small_api, token, proof(issuer, token), scheme=scheme)).status_code == 200


@pytest.mark.bar("A2-2.4")
async def test_bound_token_is_no_bearer_token(small_api: Api, issuer: Issuer) -> None:
    token = bound_token(issuer)
    answer = await shown(small_api, token, proof(issuer, token), scheme="Bearer")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.bar("A2-2.4")
async def test_unbound_token_proves_nothing(small_api: Api, issuer: Issuer) -> None:
    token = issuer.token()
    answer = await shown(small_api, token, proof(issuer, token))

    assert (answer.status_code, answer.headers["www-authenticate"].split(",")[0]) == (
        401,
        'DPoP error="invalid_token"',
    )
    assert answer.headers["www-authenticate"].endswith('algs="ES256 ES384 ES512 Ed25519 EdDSA PS256 RS256"')


BAD: dict[str, Callable[[Issuer, str], list[str]]] = {
    "no proof": lambda *_: [],
    "two proofs": lambda issuer, token: [proof(issuer, token), proof(issuer, token, jti="2")],
    "of another key": lambda issuer, token: [proof(issuer, token, THIEF)],
    "for another method": lambda issuer, token: [proof(issuer, token, htm="POST")],
    "for another address": lambda issuer, token: [proof(issuer, token, htu=API + "/1")],
    "for another host": lambda issuer, token: [proof(issuer, token, htu="https://evil.example/notes")],
    "for another token": lambda issuer, _: [proof(issuer, issuer.token())],
    "for no token": lambda issuer, token: [proof(issuer, token, ath=None)],
    "without an id": lambda issuer, token: [proof(issuer, token, jti=None)],
    "of yesterday": lambda issuer, token: [
        proof(issuer, token, iat=int(issuer.clock.now().timestamp()) - 86_400)
    ],
    "the token itself": lambda _, token: [token],
}


@pytest.mark.bar("A15-15.1")
@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_token_without_a_good_proof(
    small_api: Api, issuer: Issuer, make: Callable[[Issuer, str], list[str]]
) -> None:
    token = bound_token(issuer)
    answer = await shown(small_api, token, *make(issuer, token))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_')
    assert POINTER in answer.headers["www-authenticate"]


@pytest.mark.bar("A15-15.1")
async def test_proof_counts_once(small_api: Api, issuer: Issuer, clock: FrozenClock) -> None:
    token = bound_token(issuer)
    once = proof(issuer, token)
    first, second = await shown(small_api, token, once), await shown(small_api, token, once)
    clock.advance(timedelta(seconds=100))
    third = await shown(small_api, token, once)

    assert [answer.status_code for answer in (first, second, third)] == [200, 401, 401]


async def test_query_is_not_part_of_the_address(small_api: Api, issuer: Issuer) -> None:
    token = bound_token(issuer)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof(issuer, token)}

    assert (await small_api.client.get("/notes?page=2", headers=headers)).status_code == 200


@pytest.mark.bar("A2-2.4")
async def test_resource_that_takes_bound_tokens_only(declared: Declaring, issuer: Issuer) -> None:
    notes = declared(requires_dpop=True)
    api, token = Api(notes), bound_token(issuer)
    asked, unbound = await api.read(), await api.read(issuer.token())
    good = await shown(api, token, proof(issuer, token))
    await notes.close()

    assert asked.headers["www-authenticate"].startswith('DPoP scope="notes:read", resource_metadata=')
    assert (unbound.status_code, good.status_code) == (401, 200)


@pytest.mark.parametrize(
    "cnf", [{"jwk": {}}, {"kid": "1"}, {"jkt": 1}, {}, "jkt", {"jkt": "a", "x5t#S256": "b"}], ids=repr
)
@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
async def test_binding_that_cannot_be_checked(
    small_api: Api, issuer: Issuer, cnf: object, scheme: str
) -> None:
    token = issuer.token(cnf=cnf)

    assert (await shown(small_api, token, proof(issuer, token), scheme=scheme)).status_code == 401


def a_proof(jti: str, until: float) -> Proof:
    return Proof(jkt="k", jti=jti, iat=0, nonce=None, remember_until=until)


async def test_memory_of_proofs_is_bounded_and_never_forgets_a_good_one() -> None:
    memory = OwnProofs(most=3)
    assert [await memory.note(a_proof(str(each), 60), now=0) for each in range(3)] == [True] * 3
    with pytest.raises(ServerUnavailable):
        await memory.note(a_proof("4", 60), now=1)

    assert not await memory.note(a_proof("0", 60), now=59)
    assert await memory.note(a_proof("4", 120), now=60)


def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    start = FrozenClock().now()
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), start, start + timedelta(days=1)
    )
    return builder.sign(key, hashes.SHA256())


CERTIFICATE, OTHER = certificate(), certificate()


def der(given: x509.Certificate) -> bytes:
    return given.public_bytes(Encoding.DER)


def header(given: x509.Certificate) -> str:
    """RFC 9440, section 2.1."""
    return f":{base64.b64encode(der(given)).decode()}:"


@pytest.fixture
async def tls_api(declared: Declaring) -> AsyncIterator[Api]:
    notes = declared(certificate_header="Client-Cert")
    yield Api(notes)
    await notes.close()


@pytest.mark.bar("A19-19.1")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Client-Cert", header(CERTIFICATE))], 200),
        ([("Client-Cert", header(OTHER))], 401),
        ([("Client-Cert", "nonsense")], 401),
        ([("Client-Cert", header(CERTIFICATE)), ("Client-Cert", header(CERTIFICATE))], 401),
        ([], 401),
    ],
)
async def test_token_bound_to_a_certificate(
    tls_api: Api, issuer: Issuer, headers: list[tuple[str, str]], status: int
) -> None:
    token = issuer.token(cnf={"x5t#S256": certificate_thumbprint(der(CERTIFICATE))})
    answer = await tls_api.client.get("/notes", headers=[("Authorization", f"Bearer {token}"), *headers])

    assert answer.status_code == status


@pytest.mark.bar("A19-19.1")
async def test_certificate_in_a_header_that_nobody_declared(small_api: Api, issuer: Issuer) -> None:
    token = issuer.token(cnf={"x5t#S256": certificate_thumbprint(der(CERTIFICATE))})
    answer = await small_api.read(token, headers={"Client-Cert": header(CERTIFICATE)})

    assert answer.status_code == 401
