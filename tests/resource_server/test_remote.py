"""Tokens of an authorization server elsewhere, verified by its keys: what passes, and what never does."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portico.core.crypto import b64encode
from portico.resource_server import ProtectedResource
from portico.testing.clock import FrozenClock
from portico.testing.sinks import answering, dripping, endless
from tests.resource_server.conftest import API, FOREIGN_KEY, KEY, NEXT_KEY, SHORT, Api, Declaring, Issuer

pytestmark = pytest.mark.anyio


async def test_good_token_names_its_holder(small_api: Api, issuer: Issuer) -> None:
    token = issuer.token(scope="notes:read other", org_id="acme", act={"sub": "robot"})
    answer = await small_api.read(token)

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "sub": "ada",
            "client_id": "editor",
            "scopes": ["notes:read", "other"],
            "org_id": "acme",
            "act": {"sub": "robot"},
        },
    )


async def test_token_may_name_the_audience_as_a_list_of_one(small_api: Api, issuer: Issuer) -> None:
    assert (await small_api.read(issuer.token(aud=[API]))).status_code == 200


def unsigned(issuer: Issuer) -> str:
    _, claims, _ = issuer.token().split(".")
    return f"{b64encode(b'{"alg":"none","typ":"at+jwt"}')}.{claims}."


FORGED: dict[str, Callable[[Issuer], str]] = {
    "another issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "a slash more at the issuer": lambda issuer: issuer.token(iss=issuer.url + "/"),
    "another audience": lambda issuer: issuer.token(aud="https://api.example.com/other"),
    "a slash more at the audience": lambda issuer: issuer.token(aud=API + "/"),
    "several audiences": lambda issuer: issuer.token(aud=[API, "https://api.example.com/other"]),
    "no audience": lambda issuer: issuer.token(aud=None),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "no end": lambda issuer: issuer.token(exp=None),
    "no subject": lambda issuer: issuer.token(sub=None),
    "no client": lambda issuer: issuer.token(client_id=None),
    "over": lambda issuer: issuer.token(exp=int(issuer.clock.now().timestamp())),
    "from the future": lambda issuer: issuer.token(iat=int(issuer.clock.now().timestamp()) + 120),
    "not yet good": lambda issuer: issuer.token(nbf=int(issuer.clock.now().timestamp()) + 120),
    "a text for a time": lambda issuer: issuer.token(exp="9999999999"),
    "a list of scopes": lambda issuer: issuer.token(scope=["notes:read"]),
    "an actor that is a text": lambda issuer: issuer.token(act="robot"),
    "an ID token": lambda issuer: issuer.token(header={"typ": "JWT"}),
    "a logout token": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "no signature": unsigned,
    "signed by another": lambda issuer: issuer.token(FOREIGN_KEY),
    "signed by the key in its header": lambda issuer: issuer.token(header={"jwk": dict(KEY)}),
    "a part changed": lambda issuer: issuer.token()[:-6] + "AAAAAA",
    "no JWT": lambda _: "pot_opaque",
    "longer than any": lambda _: "a" * 9000,
    "characters of no token": lambda _: "päss",
}


@pytest.mark.bar("A2-2.2", "A30-30.22", "A11-11.1", "A30-30.20")
@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_any_other_token_is_refused(
    small_api: Api, issuer: Issuer, forge: Callable[[Issuer], str]
) -> None:
    answer = await small_api.read(forge(issuer))

    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="The access token ')
    assert (
        'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/notes"' in challenge
    )
    assert 'scope="notes:read"' in challenge


async def test_times_are_seen_at_each_request(small_api: Api, issuer: Issuer, clock: FrozenClock) -> None:
    token = issuer.token()
    before = await small_api.read(token)
    clock.advance(timedelta(seconds=300))
    after = await small_api.read(token)

    assert (before.status_code, after.status_code) == (200, 401)
    assert "The access token has expired" in after.headers["www-authenticate"]


async def test_keys_are_fetched_once_for_all_who_wait(small_api: Api, issuer: Issuer) -> None:
    answers = await asyncio.gather(*(small_api.read(issuer.token(jti=str(each))) for each in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert issuer.asked == ["/.well-known/oauth-authorization-server", "/jwks"]


async def test_new_key_is_found_by_its_first_token(
    small_api: Api, issuer: Issuer, clock: FrozenClock
) -> None:
    await small_api.read(issuer.token())
    issuer.keys = [NEXT_KEY, KEY]
    clock.advance(timedelta(seconds=11))

    assert (await small_api.read(issuer.token(NEXT_KEY))).status_code == 200


@pytest.mark.bar("A31-31.7")
async def test_invented_keys_do_not_make_us_fetch_without_end(
    small_api: Api, issuer: Issuer, clock: FrozenClock
) -> None:
    clock.advance(timedelta(seconds=11))
    for number in range(30):
        await small_api.read(issuer.token({**FOREIGN_KEY, "kid": f"invented{number}"}))
        clock.advance(timedelta(seconds=1))

    assert issuer.asked.count("/jwks") == 3


async def test_server_that_is_away_is_no_fault_of_the_token(small_api: Api, issuer: Issuer) -> None:
    issuer.sink.behaviour = answering(500)
    answer = await small_api.read(issuer.token())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "www-authenticate" not in answer.headers


async def test_known_keys_outlive_a_short_absence(small_api: Api, issuer: Issuer, clock: FrozenClock) -> None:
    await small_api.read(issuer.token())
    issuer.sink.behaviour = answering(500)
    clock.advance(timedelta(hours=1))
    served = await small_api.read(issuer.token())
    clock.advance(timedelta(hours=6))
    refused = await small_api.read(issuer.token())

    assert (served.status_code, refused.status_code) == (200, 503)


HOSTILE: dict[str, Callable[[Issuer], Any]] = {
    "another issuer": lambda issuer: issuer.changes.update(issuer="https://evil.example"),
    "a slash more": lambda issuer: issuer.changes.update(issuer=issuer.url + "/"),
    "keys by http": lambda issuer: issuer.changes.update(jwks_uri="http://keys.example/jwks"),
    "keys in a file": lambda issuer: issuer.changes.update(jwks_uri="file:///etc/passwd"),
    "keys inside": lambda issuer: issuer.changes.update(jwks_uri="https://169.254.169.254/jwks"),
    "no keys": lambda issuer: issuer.changes.update(jwks_uri=None),
    "keys of 10 GB": lambda issuer: setattr(issuer.sink, "behaviour", endless()),
    "a drip": lambda issuer: setattr(issuer.sink, "behaviour", dripping()),
    "a redirect": lambda issuer: setattr(
        issuer.sink, "behaviour", answering(302, headers={"Location": "https://evil.example"})
    ),
    "no JSON": lambda issuer: setattr(issuer.sink, "behaviour", answering(200, b"<html>")),
    "a private key": lambda issuer: setattr(issuer, "publish", dict),
}


@pytest.mark.bar("A31-31.7", "A4-4.2")
@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE.keys())
async def test_server_that_cannot_be_believed_is_not(
    declared: Declaring, issuer: Issuer, spoil: Callable[[Issuer], Any]
) -> None:
    spoil(issuer)
    notes = declared(outbound=SHORT)
    answer = await Api(notes).read(issuer.token())
    await notes.close()

    assert answer.status_code == 503


@pytest.mark.bar("A4-4.1")
async def test_issuer_with_a_path_is_found_in_all_three_ways(declared: Declaring, issuer: Issuer) -> None:
    notes = declared(authorization_server=f"{issuer.url}/tenants/acme")
    await Api(notes).read(issuer.token())
    await notes.close()

    assert issuer.asked == [
        "/.well-known/oauth-authorization-server/tenants/acme",
        "/.well-known/openid-configuration/tenants/acme",
        "/tenants/acme/.well-known/openid-configuration",
    ]


async def test_closing_ends_with_the_application(notes: ProtectedResource, issuer: Issuer) -> None:
    api = Api(notes)
    async with api.client._transport.app.router.lifespan_context(api.client._transport.app):  # type: ignore[attr-defined]
        await api.read(issuer.token())

    assert notes._authorities._outbound is None
