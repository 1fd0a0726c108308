"""Certificates of clients, handed on by a proxy (row 19.1)."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from cryptography import x509

from portico.oauth.protocol.rfc8705_mutual_tls import certificate_thumbprint
from portico.oauth.types import ClientPolicy
from tests.oauth.keyed import refused
from tests.oauth.kit import CALLBACK, VERIFIER, House, TestClient, claims_of
from tests.oauth.protocol.certificates import NOW, certificate, der, pem
from tests.oauth.protocol.foreign_keys import ec_key, public

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A19-19.1")]

LASTING_HTTP = {"trusted_proxies": ["127.0.0.1"], "forwarded_header": "x-forwarded-for"}
LASTING_OAUTH = {
    "tls_certificate_header": "X-Client-Cert",
    "tls_alias_url": "https://mtls.portico.example",
}
NAMES = [
    x509.DNSName("client.example.org"),
    x509.UniformResourceIdentifier("spiffe://example.org/client"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.RFC822Name("client@example.org"),
]
OWN = certificate(names=NAMES)
STRANGE = certificate("CN=somebody,O=Else,C=DE")
OF_ITSELF: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}
BOUND = {"tls_client_certificate_bound_access_tokens": True}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


def shown(one: x509.Certificate) -> dict[str, str]:
    return {"X-Client-Cert": quote(pem(one))}


async def machine(house: House, **members: Any) -> TestClient:
    given = {"token_endpoint_auth_method": "tls_client_auth", **members}
    return await house.client(redirect_uris=[], grant_types=["client_credentials"], **given)


async def ask(house: House, client: TestClient, headers: dict[str, str], **more: Any) -> httpx2.Response:
    house.http.cookies.clear()
    fields = {**OF_ITSELF, "client_id": client.client_id, **more}
    return await house.http.post("/oauth/token", data=fields, headers=headers)


@pytest.mark.parametrize(
    "subject",
    [
        {"tls_client_auth_subject_dn": "CN=client,O=Example\\, Inc.,C=DE"},
        {"tls_client_auth_san_dns": "client.example.org"},
        {"tls_client_auth_san_uri": "spiffe://example.org/client"},
        {"tls_client_auth_san_ip": "2001:db8:0::1"},
        {"tls_client_auth_san_email": "client@example.org"},
    ],
    ids=lambda subject: next(iter(subject)),
)
async def test_a_client_is_known_by_one_thing_of_its_certificate(
    house: House, subject: dict[str, str]
) -> None:
    client = await machine(house, **subject)

    assert (await ask(house, client, shown(OWN))).status_code == 200
    refused(await ask(house, client, shown(STRANGE)), "invalid_client", 401)
    refused(await ask(house, client, {}), "invalid_client", 401)


async def test_a_self_signed_certificate_is_one_that_was_registered(house: House) -> None:
    own, other = certificate(key=ec_key("tls")), certificate(key=ec_key("another"))
    keys = {"keys": [public(ec_key("tls"))]}
    client = await machine(house, token_endpoint_auth_method="self_signed_tls_client_auth", jwks=keys)

    assert (await ask(house, client, shown(own))).status_code == 200
    refused(await ask(house, client, shown(other)), "invalid_client", 401)


@pytest.mark.parametrize("window", [(NOW - 90_000, NOW - 3_600), (NOW + 3_600, NOW + 90_000)])
async def test_a_certificate_is_good_for_its_time(house: House, window: tuple[int, int]) -> None:
    client = await machine(house, tls_client_auth_san_dns="client.example.org")
    over = certificate(names=NAMES, begins=window[0], ends=window[1])

    refused(await ask(house, client, shown(over)), "invalid_client", 401)


async def test_tokens_are_bound_to_the_certificate(house: House) -> None:
    client = await machine(house, tls_client_auth_san_dns="client.example.org", **BOUND)

    answer = await ask(house, client, shown(OWN))

    claims = claims_of(answer.json()["access_token"])
    assert claims["cnf"] == {"x5t#S256": certificate_thumbprint(der(OWN))}
    assert answer.json()["token_type"] == "Bearer"


async def test_a_public_client_refreshes_with_its_certificate_only(house: House) -> None:
    client = await house.public_client(**BOUND)
    back = await house.authorize(client)
    given: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "code_verifier": VERIFIER,
    }
    without = await house.token(client, redirect_uri=CALLBACK, **given)
    tokens = (await house.token(client, headers=shown(OWN), redirect_uri=CALLBACK, **given)).json()

    stolen = await house.refreshed(client, tokens["refresh_token"], headers=shown(STRANGE))
    own = await house.refreshed(client, tokens["refresh_token"], headers=shown(OWN))

    refused(without, "invalid_request")
    refused(stolen, "invalid_grant")
    assert own.status_code == 200, own.text


@pytest.mark.parametrize("value", ["", "nonsense", ":AAAA:", pem(OWN).replace("\n", " ")[:200]])
async def test_a_header_that_cannot_be_read_proves_nothing(house: House, value: str) -> None:
    client = await machine(house, tls_client_auth_san_dns="client.example.org")

    refused(await ask(house, client, {"X-Client-Cert": value}), "invalid_client", 401)


async def test_two_headers_prove_nothing(house: House) -> None:
    client = await machine(house, tls_client_auth_san_dns="client.example.org")
    body = f"grant_type=client_credentials&scope=tools:read&client_id={client.client_id}"

    answer = await house.http.post(
        "/oauth/token",
        content=body,
        headers=[
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Client-Cert", quote(pem(OWN))),
            ("X-Client-Cert", quote(pem(STRANGE))),
        ],
    )

    refused(answer, "invalid_client", 401)


async def test_only_the_proxy_is_believed(house: House) -> None:
    client = await machine(house, tls_client_auth_san_dns="client.example.org")
    app = house.http._transport.app  # type: ignore[attr-defined]
    stranger = httpx2.ASGITransport(app=app, client=("198.51.100.7", 40_000))

    async with httpx2.AsyncClient(transport=stranger, base_url="http://localhost:8000") as outside:
        answer = await outside.post(
            "/oauth/token", data={**OF_ITSELF, "client_id": client.client_id}, headers=shown(OWN)
        )

    refused(answer, "invalid_client", 401)


async def test_a_certificate_is_no_secret(house: House) -> None:
    client = await house.client(redirect_uris=[], grant_types=["client_credentials"])

    refused(await ask(house, client, shown(OWN)), "invalid_client", 401)


@pytest.mark.bar("A4-4.3", "A4-4.4")
async def test_where_certificates_are_asked_for_is_told(house: House) -> None:
    told = (await house.http.get("/.well-known/oauth-authorization-server")).json()

    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert told["mtls_endpoint_aliases"]["token_endpoint"] == "https://mtls.portico.example/oauth/token"
    methods = told["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(methods)


async def test_a_client_of_the_profile_may_bind_by_its_certificate(house: House) -> None:
    client = await machine(
        house,
        tls_client_auth_san_dns="client.example.org",
        policy=ClientPolicy.of({"profile": "fapi2"}),
        **BOUND,
    )

    assert (await ask(house, client, shown(OWN))).status_code == 200
