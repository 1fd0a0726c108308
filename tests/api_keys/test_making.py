"""Keys are made by people who have just signed in, shown once, and can never do more than their makers."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from portico.access.services import Tenants
from portico.access.types import SignInRules
from portico.api_keys.models import ApiKey
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from tests.api_keys.conftest import SELF, House, by_key, code_of
from tests.integration.ground import TRACES, dump, nothing_written

pytestmark = pytest.mark.anyio

IN_ORGANIZATION = ["organization:member:read", "organization:organization:read"]


async def rows(runtime: Runtime) -> list[ApiKey]:
    async with runtime.reads() as session:
        return list((await session.scalars(select(ApiKey).order_by(ApiKey.id))).all())


@pytest.mark.bar("ASVS-7.2.2", "ASVS-11.5.1")
async def test_a_key_is_shown_once_and_only_its_hash_is_kept(house: House, runtime: Runtime) -> None:
    made = await house.make("ada", name="build server")
    seen = (await house.by("ada", "GET", f"/api-keys/{made['id']}")).json()
    listed = (await house.by("ada", "GET", "/api-keys")).json()["data"]
    stored = await dump(runtime)

    assert re.fullmatch(r"pak_[A-Za-z0-9_-]{49}", made["key"])
    assert seen["prefix"] == made["key"][:8]
    assert seen | {"name": "", "state": ""} == listed[0] | {"name": "", "state": ""}
    assert (seen["name"], seen["kind"], seen["state"]) == ("build server", "personal", "active")
    assert made["key"] not in stored
    assert made["key"][8:] not in str(listed)


async def test_a_key_acts_for_its_maker_within_its_scopes(house: House) -> None:
    text = await house.key("ada")

    me = await house.me(text)
    by_own_header = await house.ask("GET", "/users/me", {"X-API-Key": text})
    change = await house.ask("PATCH", "/users/me", by_key(text), {"full_name": "Ada"})

    assert me.json()["id"] == by_own_header.json()["id"] == str(house.people["ada"].id)
    assert code_of(change) == (403, "insufficient_scope")


@pytest.mark.bar("ASVS-13.3.4")
async def test_every_key_has_an_end_and_none_too_far_away(
    house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    by_default = await house.make("ada")
    wish = {"name": "x", "scopes": SELF}
    too_long = (clock.now() + timedelta(days=366)).isoformat()
    past = clock.now().isoformat()

    longer = await house.by("ada", "POST", "/api-keys", {**wish, "expires_at": too_long})
    over = await house.by("ada", "POST", "/api-keys", {**wish, "expires_at": past})
    never = await house.by("ada", "POST", "/api-keys", {**wish, "expires_at": "never"})

    assert by_default["expires_at"].startswith((clock.now() + timedelta(days=90)).date().isoformat())
    assert code_of(longer) == code_of(over) == (422, "api_key_invalid")
    assert never.status_code == 422
    assert [row.expires_at is not None for row in await rows(runtime)] == [True]


@pytest.mark.bar("CVE-2025-61928", "CHECK-2")
@pytest.mark.parametrize("field", ["user_id", "principal_id", "created_by", "kind", "id", "key", "role"])
async def test_no_body_says_whose_key_it_is(house: House, runtime: Runtime, field: str) -> None:
    wish = {"name": "x", "scopes": SELF, field: str(house.people["bob"].id)}
    async with nothing_written(runtime):
        own = await house.by("ada", "POST", "/api-keys", wish)

    assert own.status_code == 422
    assert own.json()["errors"][0]["field"].endswith(field)


async def test_making_needs_a_sign_in_of_the_last_ten_minutes(house: House, clock: FrozenClock) -> None:
    made = await house.make("ada")
    clock.advance(timedelta(minutes=11))

    again = await house.by("ada", "POST", "/api-keys", {"name": "x", "scopes": SELF})
    rotated = await house.by("ada", "POST", f"/api-keys/{made['id']}/rotate")
    revoked = await house.by("ada", "DELETE", f"/api-keys/{made['id']}")

    assert code_of(again) == code_of(rotated) == (403, "reauthentication_required")
    assert revoked.status_code == 204


@pytest.mark.bar("ASVS-8.2.1", "CHECK-4")
async def test_a_key_makes_no_keys_whatever_its_scopes(house: House) -> None:
    text = await house.key("ada", scopes=["api_key:self:list", *SELF])
    made = await house.make("ada")

    listed = await house.ask("GET", "/api-keys", by_key(text))
    attempts = [
        await house.ask("POST", "/api-keys", by_key(text), {"name": "x", "scopes": SELF}),
        await house.ask("POST", f"/api-keys/{made['id']}/rotate", by_key(text)),
        await house.ask("PATCH", f"/api-keys/{made['id']}", by_key(text), {"name": "y"}),
        await house.ask("DELETE", f"/api-keys/{made['id']}", by_key(text)),
    ]
    wished = await house.by("ada", "POST", "/api-keys", {"name": "x", "scopes": ["api_key:self:create"]})

    assert listed.status_code == 200
    assert {answer.status_code for answer in attempts} == {403}
    assert code_of(wished) == (422, "api_key_invalid")


@pytest.mark.bar("CHECK-2", "ASVS-8.2.2")
async def test_others_keys_are_not_there(house: House, runtime: Runtime) -> None:
    made = await house.make("ada")
    async with nothing_written(runtime, but=TRACES):
        answers = [
            await house.by("bob", "GET", f"/api-keys/{made['id']}"),
            await house.by("bob", "PATCH", f"/api-keys/{made['id']}", {"name": "mine"}),
            await house.by("bob", "POST", f"/api-keys/{made['id']}/rotate"),
            await house.by("bob", "DELETE", f"/api-keys/{made['id']}"),
            await house.by("bob", "GET", f"/api-keys/{uuid4()}"),
        ]
    listed = (await house.by("bob", "GET", "/api-keys")).json()

    assert {code_of(answer) for answer in answers} == {(404, "api_key_not_found")}
    assert listed["pagination"]["total"] == 0


@pytest.mark.bar("ASVS-8.2.1", "CVE-2026-9795")
async def test_scopes_are_no_wider_than_what_the_maker_holds(house: House, runtime: Runtime) -> None:
    ours = await house.organization(ada="viewer", grace="owner")
    wish = {"name": "x", "organization_id": str(ours)}
    before = len(await rows(runtime))

    platform = await house.by("ada", "POST", "/api-keys", {"name": "x", "scopes": ["platform:user:read"]})
    beyond = await house.by("ada", "POST", "/api-keys", {**wish, "scopes": ["organization:role:manage"]})
    nowhere = await house.by("ada", "POST", "/api-keys", {"name": "x", "scopes": IN_ORGANIZATION})
    unknown = await house.by("ada", "POST", "/api-keys", {"name": "x", "scopes": ["user:self:fly"]})
    stranger = await house.by("bob", "POST", "/api-keys", {**wish, "scopes": IN_ORGANIZATION})
    none = await house.by(
        "ada", "POST", "/api-keys", {**wish, "organization_id": str(uuid4()), "scopes": SELF}
    )
    none_written = len(await rows(runtime)) - before
    within = await house.by("ada", "POST", "/api-keys", {**wish, "scopes": IN_ORGANIZATION})
    administrator = await house.by(
        "grace", "POST", "/api-keys", {"name": "x", "scopes": ["platform:user:read"]}
    )

    assert code_of(platform) == code_of(beyond) == (403, "rights_not_held")
    assert code_of(nowhere) == code_of(unknown) == (422, "api_key_invalid")
    assert code_of(stranger) == code_of(none) == (404, "organization_not_found")
    assert none_written == 0
    assert within.status_code == administrator.status_code == 201


async def test_what_its_person_loses_the_key_loses(house: House) -> None:
    ours = await house.organization(ada="admin", grace="owner")
    text = await house.key("ada", organization_id=str(ours), scopes=["organization:service_account:read"])
    path = f"/organizations/{ours}/service-accounts"

    before = await house.ask("GET", path, by_key(text))
    await house.grant(ours, house.people["ada"].id, "viewer")
    after = await house.ask("GET", path, by_key(text))

    assert before.status_code == 200
    assert code_of(after) == (403, "permission_denied")


@pytest.mark.bar("CHECK-2")
async def test_a_key_is_good_in_its_own_organization_only(house: House) -> None:
    ours = await house.organization(ada="owner")
    other = await house.organization(ada="owner")
    scopes = ["organization:service_account:read", *SELF]
    text = await house.key("ada", organization_id=str(ours), scopes=scopes)

    here = await house.ask("GET", f"/organizations/{ours}/service-accounts", by_key(text))
    there = await house.ask("GET", f"/organizations/{other}/service-accounts", by_key(text))

    assert here.status_code == 200
    assert code_of(there) == (404, "organization_not_found")


async def test_a_key_is_no_way_round_the_organizations_rules_of_signing_in(
    house: House, runtime: Runtime
) -> None:
    ours = await house.organization(ada="owner")
    async with (unit := runtime.unit()):
        await Tenants(runtime, unit).set_rules(ours, SignInRules(min_aal=2))
    wish = {"name": "x", "scopes": SELF}

    own = await house.by("ada", "POST", "/api-keys", {**wish, "organization_id": str(ours)})
    theirs = await house.by("ada", "POST", f"/organizations/{ours}/api-keys", wish)

    assert code_of(own) == code_of(theirs) == (403, "second_factor_required")


async def test_the_person_is_told_by_mail_without_the_key(house: House, mails: CapturedMails) -> None:
    made = await house.make("ada", name="build server")

    mail = mails.to("ada@example.org")[-1]
    assert "build server" in mail.text
    assert made["key"][:8] in mail.text
    assert made["key"] not in mail.text + mail.html


async def test_there_is_a_most(house: House, runtime: Runtime) -> None:
    wish = {"name": "x", "scopes": SELF}
    answers = [await house.by("ada", "POST", "/api-keys", wish) for _ in range(3)]
    (first, *_) = await rows(runtime)
    await house.by("ada", "DELETE", f"/api-keys/{first.id}")
    again = await house.by("ada", "POST", "/api-keys", wish)

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert code_of(answers[2]) == (409, "too_many_api_keys")
    assert again.status_code == 201


@pytest.fixture
def settings_overrides(request: pytest.FixtureRequest, settings_overrides: dict[str, object]) -> object:
    few = {"api_keys": {"max_keys": 2}} if "most" in request.node.name else {}
    return {**settings_overrides, **few}


async def test_name_and_limits_can_be_changed_scopes_and_end_cannot(house: House) -> None:
    made = await house.make("ada")
    path = f"/api-keys/{made['id']}"
    seen = await house.by("ada", "GET", path)

    changed = await house.ask(
        "PATCH",
        path,
        {**house.people["ada"].bearer, "If-Match": seen.headers["ETag"]},
        {"name": "new", "networks": ["192.0.2.0/24", "2001:db8::1"], "quota_per_day": 5},
    )
    stale = await house.ask(
        "PATCH", path, {**house.people["ada"].bearer, "If-Match": seen.headers["ETag"]}, {"name": "newer"}
    )
    wider = await house.by("ada", "PATCH", path, {"scopes": ["user:self:update"]})
    longer = await house.by("ada", "PATCH", path, {"expires_at": "2030-01-01T00:00:00Z"})
    wrong = await house.by("ada", "PATCH", path, {"networks": ["192.0.2.1/24"]})

    assert changed.json()["networks"] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert (changed.json()["name"], changed.json()["quota_per_day"]) == ("new", 5)
    assert stale.status_code == 412
    assert wider.status_code == longer.status_code == 422
    assert code_of(wrong) == (422, "api_key_invalid")
