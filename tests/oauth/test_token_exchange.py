"""One token for another (row 17.1)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.feature import Feature
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.grants import Grants
from portico.oauth.services.resources import Resource
from portico.oauth.types import ClientPolicy, ClientSource, GrantEnd, TokenFormat
from portico.testing.organizations import TestOrganizations
from tests.oauth.keyed import Keyed, refused
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.protocol.foreign_keys import ec_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A17-17.1")]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
MCP = "https://api.example.com/mcp"
NOTES = "https://notes.example.com/"
SHARED = "https://shared.example.com/"

LASTING_FEATURES = [
    Feature(
        name="shared",
        contributes={Resource: [Resource(identifier=SHARED, scopes={"tools:read": "", "shared:write": ""})]},
    )
]


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def service(house: House, **policy: Any) -> TestClient:
    """Register the API at `MCP` as a client that may exchange on to `SHARED` and `NOTES`."""
    chosen = {"resources": (MCP,), "exchanges_to": (SHARED, NOTES), **policy}
    return await house.client(
        redirect_uris=[], grant_types=[EXCHANGE, "client_credentials"], policy=ClientPolicy(**chosen)
    )


async def of_ada(house: House, **parameters: Any) -> str:
    """Return a token of Ada's for `MCP`."""
    given = {"scope": "openid tools:read tools:write notes:read", "resource": [MCP, NOTES], **parameters}
    client = await house.client()
    tokens = await house.exchange(client, await house.authorize(client, **given), resource=MCP)
    token: str = tokens["access_token"]
    return token


async def exchange(house: House, client: TestClient, token: str, **parameters: Any) -> httpx2.Response:
    given = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **parameters,
    }
    return await house.token(client, **given)


async def exchanged(house: House, client: TestClient, token: str, **parameters: Any) -> Mapping[str, Any]:
    answer = await exchange(house, client, token, **parameters)
    assert answer.status_code == 200, answer.text
    return claims_of(answer.json()["access_token"])


async def test_an_api_goes_on_to_another_for_the_person(house: House) -> None:
    client = await service(house)

    answer = await exchange(house, client, await of_ada(house), resource=SHARED)

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["issued_token_type"] == ACCESS_TOKEN
    assert said["token_type"] == "Bearer"
    assert said["scope"] == "tools:read"
    assert "refresh_token" not in said
    claims = claims_of(said["access_token"])
    assert claims["aud"] == SHARED
    assert claims["sub"] == str(house.people["ada"].id)
    assert claims["client_id"] == client.client_id
    assert claims["act"] == {"sub": client.client_id, "client_id": client.client_id}


async def test_the_audience_names_the_api_too(house: House) -> None:
    claims = await exchanged(house, await service(house), await of_ada(house), audience=SHARED)

    assert claims["aud"] == SHARED


async def test_what_was_granted_for_the_other_api_can_be_had_there(house: House) -> None:
    client = await service(house)

    granted = await exchanged(house, client, await of_ada(house), resource=NOTES)
    not_granted = await exchange(
        house, client, await of_ada(house, resource=MCP, scope="tools:read"), resource=NOTES
    )

    assert granted["scope"] == "notes:read"
    refused(not_granted, "invalid_scope")


@pytest.mark.parametrize("scope", ["shared:write", "tools:read shared:write", "openid", "offline_access"])
async def test_it_never_gives_more(house: House, scope: str) -> None:
    answer = await exchange(house, await service(house), await of_ada(house), resource=SHARED, scope=scope)

    refused(answer, "invalid_scope")


async def test_it_gives_less_where_less_is_asked_for(house: House) -> None:
    claims = await exchanged(
        house, await service(house), await of_ada(house), resource=MCP, scope="tools:write"
    )

    assert claims["scope"] == "tools:write"


async def test_the_new_token_ends_no_later_than_the_old_one(house: House) -> None:
    token = await of_ada(house)
    house.clock.advance(timedelta(minutes=10))

    claims = await exchanged(house, await service(house), token, resource=SHARED)

    assert claims["exp"] == claims_of(token)["exp"]


@pytest.mark.parametrize(
    "target", ["https://api.other.example/", "http://localhost:8000/api/v1", MCP + "/more"]
)
async def test_only_to_where_the_client_may(house: House, target: str) -> None:
    answer = await exchange(house, await service(house), await of_ada(house), resource=target)

    refused(answer, "invalid_target")


async def test_a_client_without_a_policy_goes_nowhere_else(house: House) -> None:
    client = await service(house, exchanges_to=())

    refused(await exchange(house, client, await of_ada(house), resource=SHARED), "invalid_target")


async def test_two_targets_are_too_many(house: House) -> None:
    answer = await exchange(house, await service(house), await of_ada(house), resource=SHARED, audience=NOTES)

    refused(answer, "invalid_target")


async def test_a_token_that_is_for_another_api_cannot_be_shown(house: House) -> None:
    client = await service(house, resources=(NOTES,))

    refused(await exchange(house, client, await of_ada(house), resource=SHARED), "invalid_request")


@pytest.mark.bar("CHECK-2")
async def test_a_client_of_an_organization_shows_only_what_works_there(house: House) -> None:
    """None is registered for the grant; one that got it all the same is kept inside."""
    pattern, runtime = await service(house), house.runtime
    organization = await TestOrganizations(runtime).make(house.people["ada"].id)
    made = await ClientRegistry(runtime, runtime.unit()).register_client(
        pattern.metadata,
        ClientSource.ORGANIZATION,
        policy=ClientPolicy(resources=(MCP,), exchanges_to=(SHARED,)),
        organization_id=organization.id,
    )
    assert made.secret is not None
    client = replace(pattern, client_id=made.client_id, key=made.key, secret=made.secret.text)

    refused(await exchange(house, client, await of_ada(house), resource=SHARED), "invalid_request")


@pytest.mark.parametrize(
    "what", ["id_token", "refresh_token", "first_party", "forged", "nonsense", "foreign"]
)
async def test_only_access_tokens_of_ours_that_clients_hold_are_taken(house: House, what: str) -> None:
    client = await house.client()
    tokens = await house.tokens(client, scope="openid tools:read", resource=MCP)
    head, body, signature = tokens["access_token"].split(".")
    keyed = Keyed(house, client, ec_key("attacker"))
    claims = claims_of(tokens["access_token"])
    shown = {
        "id_token": tokens["id_token"],
        "refresh_token": tokens["refresh_token"],
        "first_party": house.people["ada"].access_token,
        "forged": f"{head}.{body}.{signature[:-4]}AAAA",
        "nonsense": "nonsense",
        "foreign": keyed.assertion(**{**claims, "iss": "https://other-issuer.example"}),
    }

    refused(await exchange(house, await service(house), shown[what], resource=SHARED), "invalid_request")


@pytest.mark.parametrize(
    "changed",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS_TOKEN},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    ],
    ids=json.dumps,
)
async def test_the_request_must_be_whole(house: House, changed: dict[str, Any]) -> None:
    answer = await exchange(
        house, await service(house), await of_ada(house), **{"resource": SHARED, **changed}
    )

    refused(answer, "invalid_request")


async def test_an_actor_shows_its_own_token(house: House) -> None:
    client, other = await service(house), await service(house)
    own = await house.token(client, grant_type="client_credentials", resource=MCP, scope="tools:read")
    foreign = await house.token(other, grant_type="client_credentials", resource=MCP, scope="tools:read")
    token = await of_ada(house)
    with_actor = {"resource": SHARED, "actor_token_type": ACCESS_TOKEN}

    good = await exchanged(house, client, token, actor_token=own.json()["access_token"], **with_actor)
    bad = await exchange(house, client, token, actor_token=foreign.json()["access_token"], **with_actor)

    assert good["act"] == {
        "sub": client.client_id,
        "client_id": client.client_id,
        "iss": "http://localhost:8000",
    }
    refused(bad, "invalid_request")


async def test_actors_stand_one_behind_the_other(house: House) -> None:
    first = await service(house)
    second = await service(house, resources=(SHARED,), exchanges_to=(MCP,))

    to_shared = await exchange(house, first, await of_ada(house), resource=SHARED)
    back = await exchanged(house, second, to_shared.json()["access_token"], resource=MCP, scope="tools:read")

    assert back["act"]["sub"] == second.client_id
    assert back["act"]["act"]["sub"] == first.client_id


async def test_a_token_is_not_exchanged_on_for_ever(house: House) -> None:
    client = await house.client(grant_types=["authorization_code", EXCHANGE])
    token = (await house.tokens(client, scope="tools:read", resource=MCP))["access_token"]

    for _ in range(5):
        token = (await exchange(house, client, token)).json()["access_token"]

    assert "act" not in claims_of(token)
    refused(await exchange(house, client, token), "invalid_request")


async def test_may_act_binds_who_acts(house: House) -> None:
    client = await house.client(grant_types=["authorization_code", EXCHANGE])
    chosen, other = await service(house), await service(house)
    tokens = await house.tokens(client, scope="tools:read", resource=MCP)
    token = await _with_may_act(house, client, tokens["access_token"], {"client_id": chosen.client_id})

    refused(await exchange(house, other, token, resource=SHARED), "invalid_request")
    assert (await exchanged(house, chosen, token, resource=SHARED))["act"]["sub"] == chosen.client_id


async def _with_may_act(house: House, client: TestClient, token: str, may_act: dict[str, str]) -> str:
    claims = {**claims_of(token), "may_act": may_act}
    return house.runtime.get(Keyring).sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ="at+jwt")


async def test_it_ends_with_what_it_came_of(house: House) -> None:
    first, second = await service(house), await service(house, resources=(SHARED,), exchanges_to=(MCP,))
    token = await of_ada(house)
    child = (await exchange(house, first, token, resource=SHARED)).json()["access_token"]
    unit = house.runtime.unit()

    await Grants(house.runtime, unit).end([UUID(claims_of(token)["grant_id"])], GrantEnd.REVOKED_BY_PERSON)

    refused(await exchange(house, first, token, resource=SHARED), "invalid_request")
    refused(await exchange(house, second, child, resource=MCP), "invalid_request")


async def test_a_client_is_the_subject_of_its_own_token(house: House) -> None:
    client = await service(house)
    own = await house.token(client, grant_type="client_credentials", resource=MCP, scope="tools:read")

    claims = await exchanged(house, client, own.json()["access_token"], resource=SHARED)

    assert claims["sub"] == claims["client_id"] == client.client_id


async def test_a_bound_token_is_shown_with_its_key(house: House) -> None:
    keyed = await Keyed.register(
        house,
        proof_key=ec_key("proof"),
        dpop_bound_access_tokens=True,
        grant_types=["authorization_code", EXCHANGE],
        policy=ClientPolicy(exchanges_to=(SHARED,)),
    )
    token = (await keyed.tokens(scope="tools:read", resource=MCP))["access_token"]
    given = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "resource": SHARED,
    }

    other = await keyed.token(headers={"DPoP": keyed.proof(key=ec_key("another"))}, **given)
    good = await keyed.token(**given)
    stolen = await exchange(house, await service(house), token, resource=SHARED)

    refused(other, "invalid_request")
    refused(stolen, "invalid_request")
    assert good.status_code == 200, good.text
    assert claims_of(good.json()["access_token"])["cnf"] == claims_of(token)["cnf"]


async def test_opaque_tokens_are_exchanged_too(house: House) -> None:
    client = await service(house, token_format=TokenFormat.OPAQUE)
    opaque = await exchange(house, client, await of_ada(house), resource=MCP, requested_token_type=JWT)

    assert opaque.json()["issued_token_type"] == ACCESS_TOKEN
    further = await exchange(house, client, opaque.json()["access_token"], resource=SHARED)
    assert further.status_code == 200, further.text


async def test_a_jwt_is_called_one_where_that_is_asked_for(house: House) -> None:
    answer = await exchange(
        house, await service(house), await of_ada(house), resource=SHARED, requested_token_type=JWT
    )

    assert answer.json()["issued_token_type"] == JWT


async def test_a_public_client_exchanges_nothing(house: House) -> None:
    client = await house.public_client(grant_types=["authorization_code", EXCHANGE])

    refused(await exchange(house, client, await of_ada(house)), "unauthorized_client")


async def test_a_client_that_is_not_registered_for_it_exchanges_nothing(house: House) -> None:
    refused(await exchange(house, await house.client(), await of_ada(house)), "unauthorized_client")


async def test_it_is_on_the_trail(house: House) -> None:
    claims = await exchanged(house, await service(house), await of_ada(house), resource=SHARED)

    async with house.runtime.reads() as session:
        entries = (
            await session.scalars(select(AuditEntry).where(AuditEntry.action == "oauth.grant.given"))
        ).all()
    about = [entry for entry in entries if str(entry.subject_id) == claims["grant_id"]]
    assert len(about) == 1
    assert about[0].details["kind"] == EXCHANGE
    assert about[0].details["client_id"] == claims["client_id"]


OWN_API = "http://localhost:8000/api/v1"


@pytest.mark.bar("ASVS-16.2.1")
@pytest.mark.parametrize("actor", ["the client", "a person", "two in a row"])
async def test_the_trail_says_who_acts_for_whom(house: House, actor: str) -> None:
    """At our own API: the person's entries name the client, or the person, who acts on his behalf."""
    client = await service(house, resources=(MCP, OWN_API), exchanges_to=(OWN_API,))
    app = await house.client()
    back = await house.authorize(app, scope="tools:read user:self:update", resource=[MCP, OWN_API])
    given = (await house.exchange(app, back, resource=MCP))["access_token"]
    more: dict[str, Any] = {}
    acting: UUID = client.key
    if actor == "a person":
        own = await house.client(
            grant_types=["authorization_code", EXCHANGE],
            policy=ClientPolicy(resources=(MCP,), exchanges_to=(OWN_API,)),
        )
        bobs = await house.tokens(own, "bob", scope="tools:read", resource=MCP)
        client, acting = own, house.people["bob"].id
        more = {"actor_token": bobs["access_token"], "actor_token_type": ACCESS_TOKEN}
    if actor == "two in a row":
        other = await service(house, exchanges_to=(OWN_API,))
        first = await exchange(house, other, given, resource=OWN_API)
        given = first.json()["access_token"]

    answer = await exchange(house, client, given, resource=OWN_API, scope="user:self:update", **more)
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    name = f"Ada by {actor}"
    changed = await house.http.patch("/api/v1/users/me", json={"full_name": name}, headers=headers)

    assert changed.status_code == 200, changed.text
    query = select(AuditEntry).where(AuditEntry.action == "user.updated").order_by(AuditEntry.id.desc())
    async with house.runtime.reads() as session:
        entry = (await session.scalars(query)).first()
    assert entry is not None
    assert (entry.actor_id, entry.on_behalf_of_id) == (acting, house.people["ada"].id)
    assert entry.subject_id == house.people["ada"].id
    assert str(entry.credential_id) == claims_of(answer.json()["access_token"])["grant_id"]


async def test_whoever_acts_for_somebody_is_still_only_a_client(house: House) -> None:
    """What only the person himself may do is no nearer by a token that says who acts."""
    client = await service(house, exchanges_to=(OWN_API,))
    app = await house.client()
    back = await house.authorize(app, scope="tools:read user:self:read", resource=[MCP, OWN_API])
    given = (await house.exchange(app, back, resource=MCP))["access_token"]
    answer = await exchange(house, client, given, resource=OWN_API, scope="user:self:read")
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    seen = await house.http.get("/api/v1/users/me", headers=headers)
    ended = await house.http.delete("/api/v1/auth/sessions", headers=headers)

    assert seen.status_code == 200, seen.text
    assert ended.status_code == 403
