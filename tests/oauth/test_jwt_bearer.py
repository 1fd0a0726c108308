"""Others' signed word for a token: workloads and identity providers (row 30.11; RFC 7523, section 2.1)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import ValidationError

from portico.core.ids import new_id
from portico.oauth.models import OAuthClientRule
from portico.oauth.protocol.jose.signing import sign
from portico.oauth.settings import OAuthSettings, TrustedIssuer
from portico.oauth.types import ClientVerdict, GrantType
from portico.organizations.models import Domain
from portico.testing.organizations import TestOrganizations
from portico.testing.sinks import HttpSink, answering
from tests.oauth.keyed import ISSUER, LEAVE_OUT, refused, said
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.opening import open_house
from tests.oauth.protocol.foreign_keys import ec_key, public, rsa_key
from tests.sessions.people import add_person

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A30-30.11")]

JWT_BEARER = GrantType.JWT_BEARER.value
MCP = "https://api.example.com/mcp"
PLATFORM = "https://platform.example"
PROVIDER = "https://idp.example.org"
WORKLOAD = "repo:acme/app:ref:refs/heads/main"
ROBOT = "robot"
ELSEWHERE = "https://publishes-its-keys.example"
KEYS = json.dumps({"keys": [public(ec_key("published"), kid="p1")]}).encode()


@dataclass
class Ground:
    """A house that trusts a platform and an identity provider, and a client for which a workload stands."""

    house: House
    robot: TestClient
    organization_id: UUID

    @property
    def now(self) -> int:
        return int(self.house.clock.now().timestamp())

    def word(self, key: Any = None, *, typ: str | None = None, alg: str = "ES256", **claims: Any) -> str:
        """Return what the platform says of its workload; `claims` in the place of the proper ones."""
        proper = {
            "iss": PLATFORM,
            "sub": WORKLOAD,
            "aud": ISSUER,
            "jti": uuid4().hex,
            "iat": self.now,
            "exp": self.now + 300,
        }
        header = {"kid": "p1", **({"typ": typ} if typ else {})}
        return sign(said(**{**proper, **claims}), key or ec_key("platform"), alg, header=header)

    def id_jag(self, client: TestClient, key: Any = None, **claims: Any) -> str:
        """Return what the identity provider lets a client do for Ada; `claims` in the place of the proper ones."""
        proper = {
            "iss": PROVIDER,
            "sub": "u-17",
            "email": "ada@example.org",
            "client_id": client.client_id,
            "resource": MCP,
            "scope": "tools:read tools:write",
        }
        typ = claims.pop("typ", "oauth-id-jag+jwt")
        return self.word(key or ec_key("provider"), typ=typ, **{**proper, **claims})

    async def ask(
        self,
        assertion: str,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        self.house.http.cookies.clear()
        given = {"grant_type": JWT_BEARER, "assertion": assertion, **(fields or {})}
        return await self.house.http.post("/oauth/token", data=given, headers=headers or {})


@pytest.fixture(scope="module")
async def ground(lasting_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    folder = tmp_path_factory.mktemp("data")
    async with open_house(lasting_database, folder) as before:
        account = await add_person(before.runtime, "ada@example.org")
        await add_person(before.runtime, "mallory@example.org")  # of the domain, no member
        organization = await TestOrganizations(before.runtime).make(account)
        carol = await add_person(before.runtime, "carol@elsewhere.example")  # a member of another domain
        await TestOrganizations(before.runtime).join(organization, carol, "member")
        dora = await add_person(before.runtime, "dora@example.org", verified=False)
        await TestOrganizations(before.runtime).join(organization, dora, "member")
        await _own_domain(before, organization.id, "example.org")
    sink = HttpSink(answering(200, KEYS, {"Content-Type": "application/json"}))
    issuers: list[dict[str, Any]] = [
        {"issuer": ELSEWHERE, "kind": "workload", "clients": {WORKLOAD: ROBOT}},
        {
            "issuer": PLATFORM,
            "kind": "workload",
            "jwks": {"keys": [public(ec_key("platform"), kid="p1")]},
            "clients": {WORKLOAD: ROBOT},
        },
        {
            "issuer": PROVIDER,
            "kind": "enterprise",
            "jwks": {"keys": [public(ec_key("provider"), kid="p1")]},
            "organization_id": organization.id,
        },
    ]
    async with sink:
        issuers[0]["jwks_uri"] = sink.url
        settings = {"trusted_issuers": issuers}
        async with open_house(
            lasting_database, folder, oauth=settings, outbound={"allow_loopback": True}
        ) as house:
            robot = await house.client(client_id=ROBOT, redirect_uris=[], grant_types=[JWT_BEARER])
            yield Ground(house, robot, organization.id)


async def _own_domain(house: House, organization_id: UUID, name: str) -> None:
    now = house.clock.now()
    async with house.runtime.unit() as unit:
        unit.session.add(
            Domain(
                id=new_id(),
                organization_id=organization_id,
                domain=name,
                role="member",
                challenge="x",
                verified_at=now,
                checked_at=now,
                created_at=now,
                updated_at=now,
            )
        )


async def agent(ground: Ground, **members: Any) -> TestClient:
    return await ground.house.client(redirect_uris=[], grant_types=[JWT_BEARER], **members)


async def test_a_workload_gets_a_token_by_its_platforms_word(ground: Ground) -> None:
    answer = await ground.ask(ground.word(), {"scope": "tools:read"})

    assert answer.status_code == 200, answer.text
    claims = claims_of(answer.json()["access_token"])
    assert claims["sub"] == claims["client_id"] == ROBOT
    assert claims["aud"] == MCP
    assert claims["scope"] == "tools:read"
    assert "refresh_token" not in answer.json()


async def test_keys_may_be_published(ground: Ground) -> None:
    word = ground.word(ec_key("published"), iss=ELSEWHERE)
    forged = ground.word(ec_key("platform"), iss=ELSEWHERE)

    assert (await ground.ask(word, {"scope": "tools:read"})).status_code == 200
    refused(await ground.ask(forged, {"scope": "tools:read"}), "invalid_grant")


async def test_a_workload_may_prove_its_client_besides(ground: Ground) -> None:
    answer = await ground.ask(ground.word(), {"scope": "tools:read"}, ground.robot.basic)

    assert answer.status_code == 200, answer.text


async def test_a_workload_stands_for_one_client(ground: Ground) -> None:
    other = await agent(ground)

    by_name = await ground.ask(ground.word(), {"scope": "tools:read", "client_id": other.client_id})
    by_secret = await ground.ask(ground.word(), {"scope": "tools:read"}, other.basic)
    unknown = await ground.ask(ground.word(sub="repo:acme/app:ref:refs/heads/evil"), {"scope": "tools:read"})

    for answer in (by_name, by_secret, unknown):
        refused(answer, "invalid_grant")


@pytest.mark.bar("CHECK-12")
async def test_a_word_is_good_once_whoever_comes_first(ground: Ground) -> None:
    word = ground.word()

    answers = await asyncio.gather(*[ground.ask(word, {"scope": "tools:read"}) for _ in range(20)])

    assert sorted(each.status_code for each in answers) == [200] + [400] * 19


async def test_a_word_without_an_id_is_good_once_too(ground: Ground) -> None:
    word = ground.word(jti=LEAVE_OUT)

    assert (await ground.ask(word, {"scope": "tools:read"})).status_code == 200
    refused(await ground.ask(word, {"scope": "tools:read"}), "invalid_grant")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": LEAVE_OUT},
        {"sub": LEAVE_OUT},
        {"sub": ["x"]},
        {"exp": LEAVE_OUT},
        {"exp": 1_000_000_000},
        {"exp": 9_999_999_999},
        {"nbf": 9_999_999_999},
        {"typ": "at+jwt"},
        {"typ": "oauth-id-jag+jwt"},
    ],
    ids=str,
)
async def test_a_word_must_be_for_us_and_of_now(ground: Ground, claims: dict[str, Any]) -> None:
    refused(await ground.ask(ground.word(**claims), {"scope": "tools:read"}), "invalid_grant")


async def test_only_the_platforms_keys_count(ground: Ground) -> None:
    forged = ground.word(ec_key("attacker"))
    by_the_provider = ground.word(ec_key("provider"))
    weak = ground.word(rsa_key("attacker"), alg="RS256")

    for word in (forged, by_the_provider, weak):
        refused(await ground.ask(word, {"scope": "tools:read"}), "invalid_grant")


async def test_whoever_is_not_trusted_says_nothing(ground: Ground) -> None:
    client = await agent(ground)
    word = ground.word(iss="https://stranger.example")

    refused(await ground.ask(word, {"scope": "tools:read"}), "invalid_client", 401)
    refused(await ground.ask(word, {"scope": "tools:read"}, client.basic), "invalid_grant")
    refused(await ground.ask("nonsense", {"scope": "tools:read"}, client.basic), "invalid_grant")


async def test_a_client_acts_for_a_person_of_the_organization(ground: Ground) -> None:
    client = await agent(ground)

    answer = await ground.ask(ground.id_jag(client), {"scope": "tools:read"}, client.basic)

    assert answer.status_code == 200, answer.text
    claims = claims_of(answer.json()["access_token"])
    assert claims["aud"] == MCP
    assert claims["scope"] == "tools:read"
    assert claims["org_id"] == str(ground.organization_id)
    assert claims["client_id"] == client.client_id
    assert claims["sub"] != client.client_id
    assert "id_token" not in answer.json()
    assert "refresh_token" not in answer.json()


async def test_what_the_provider_allows_is_what_can_be_had(ground: Ground) -> None:
    client = await agent(ground)
    notes = "https://notes.example.com/"

    everything = await ground.ask(ground.id_jag(client), {}, client.basic)
    more = await ground.ask(ground.id_jag(client, scope="tools:read"), {"scope": "tools:write"}, client.basic)
    elsewhere = await ground.ask(ground.id_jag(client), {"resource": notes}, client.basic)

    assert everything.json()["scope"] == "tools:read tools:write"
    refused(more, "invalid_scope")
    refused(elsewhere, "invalid_target")


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "bob@example.com"},
        {"email": "ada@evil.example"},
        {"email": "mallory@example.org"},
        {"email": "nobody@example.org"},
        {"email": "carol@elsewhere.example"},
        {"email": "dora@example.org"},
        {"email_verified": False},
        {"email": LEAVE_OUT},
        {"email": 7},
        {"client_id": "another"},
        {"client_id": LEAVE_OUT},
        {"jti": LEAVE_OUT},
        {"aud": [ISSUER]},
        {"typ": "jwt"},
        {"iss": PLATFORM},
    ],
    ids=str,
)
async def test_a_provider_speaks_for_its_own_people_to_one_client(
    ground: Ground, claims: dict[str, Any]
) -> None:
    client = await agent(ground)

    refused(await ground.ask(ground.id_jag(client, **claims), {}, client.basic), "invalid_grant")


async def test_the_address_may_be_the_subject(ground: Ground) -> None:
    client = await agent(ground)
    word = ground.id_jag(client, email=LEAVE_OUT, sub="ADA@example.org")

    assert (await ground.ask(word, {}, client.basic)).status_code == 200


async def test_what_a_provider_says_is_good_once(ground: Ground) -> None:
    client = await agent(ground)
    word = ground.id_jag(client)

    assert (await ground.ask(word, {}, client.basic)).status_code == 200
    refused(await ground.ask(word, {}, client.basic), "invalid_grant")


async def test_a_person_does_not_ask_without_a_client_that_proves_itself(ground: Ground) -> None:
    client = await agent(ground)

    refused(await ground.ask(ground.id_jag(client), {"client_id": client.client_id}), "invalid_client", 401)


async def test_an_organization_may_keep_a_client_out(ground: Ground) -> None:
    client = await agent(ground)
    now = ground.house.clock.now()
    async with ground.house.runtime.unit() as unit:
        unit.session.add(
            OAuthClientRule(
                id=new_id(),
                organization_id=ground.organization_id,
                client_key=client.key,
                verdict=ClientVerdict.DENIED,
                created_at=now,
                updated_at=now,
            )
        )

    refused(await ground.ask(ground.id_jag(client), {}, client.basic), "access_denied")


async def test_a_client_registers_for_it(ground: Ground) -> None:
    client = await ground.house.client()

    refused(await ground.ask(ground.id_jag(client), {}, client.basic), "unauthorized_client")


@pytest.mark.bar("A4-4.4")
async def test_it_is_told_where_it_is_on(ground: Ground) -> None:
    told = (await ground.house.http.get("/.well-known/oauth-authorization-server")).json()

    assert JWT_BEARER in told["grant_types_supported"]


async def test_time_goes_by(ground: Ground) -> None:
    word = ground.word()
    ground.house.clock.advance(timedelta(minutes=6))

    refused(await ground.ask(word, {"scope": "tools:read"}), "invalid_grant")


@pytest.mark.parametrize(
    "changed",
    [
        {"jwks_uri": "https://platform.example/keys"},
        {"jwks": None},
        {"jwks": None, "jwks_uri": "http://platform.example/keys"},
        {"clients": {}},
        {"kind": "enterprise"},
        {"kind": "friend"},
        {"organization_id": str(UUID(int=1))},
        {"trust": True},
    ],
    ids=str,
)
def test_an_issuer_is_described_whole(changed: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "issuer": PLATFORM,
        "kind": "workload",
        "jwks": {"keys": []},
        "clients": {"a": "b"},
    }

    assert OAuthSettings(trusted_issuers=(TrustedIssuer(**good),)).trusted_issuers[0].issuer == PLATFORM
    with pytest.raises(ValidationError):
        TrustedIssuer(**{**good, **changed})
