"""A new key takes the place of an old one, which stays good until the overlap ends."""

from datetime import timedelta

import pytest

from portico.access.services import TenantRoles, acting_for
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.api_keys.conftest import House, code_of

pytestmark = pytest.mark.anyio


async def test_both_are_good_until_the_overlap_ends(house: House, clock: FrozenClock) -> None:
    old = await house.make("ada", name="build server", networks=["127.0.0.0/8"], quota_per_day=100)
    clock.advance(timedelta(minutes=5))
    new = (await house.by("ada", "POST", f"/api-keys/{old['id']}/rotate")).json()

    during = [(await house.me(made["key"])).status_code for made in (old, new)]
    listed = (await house.by("ada", "GET", "/api-keys")).json()["data"]
    clock.advance(timedelta(hours=24))
    after = [await house.me(made["key"]) for made in (old, new)]

    assert during == [200, 200]
    assert [(key["id"], key["state"]) for key in listed] == [(new["id"], "active"), (old["id"], "rotated")]
    assert listed[1]["replaced_by"] == new["id"]
    same = ("name", "scopes", "networks", "quota_per_day", "kind", "principal_id")
    assert [listed[0][name] for name in same] == [listed[1][name] for name in same]
    assert new["expires_at"] > old["expires_at"]
    assert code_of(after[0]) == (401, "api_key_expired")
    assert after[1].status_code == 200


async def test_the_overlap_has_a_most_and_may_be_none(house: House) -> None:
    made = await house.make("ada")
    path = f"/api-keys/{made['id']}/rotate"

    too_long = await house.by("ada", "POST", path, {"overlap_hours": 169})
    at_once = await house.by("ada", "POST", path, {"overlap_hours": 0})

    assert too_long.status_code == 422
    assert at_once.status_code == 200
    assert code_of(await house.me(made["key"])) == (401, "api_key_expired")


async def test_what_is_over_or_was_rotated_is_not_rotated(house: House, clock: FrozenClock) -> None:
    rotated, revoked, expired = [await house.make("ada") for _ in range(3)]
    await house.by("ada", "POST", f"/api-keys/{rotated['id']}/rotate")
    await house.by("ada", "DELETE", f"/api-keys/{revoked['id']}")

    twice = await house.by("ada", "POST", f"/api-keys/{rotated['id']}/rotate")
    over = await house.by("ada", "POST", f"/api-keys/{revoked['id']}/rotate")
    changed = await house.by("ada", "PATCH", f"/api-keys/{revoked['id']}", {"name": "x"})

    assert code_of(twice) == (409, "api_key_rotated")
    assert code_of(over) == code_of(changed) == (409, "api_key_over")
    assert (await house.me(expired["key"])).status_code == 200


@pytest.mark.bar("CVE-2026-9795")
async def test_who_rotates_gets_no_more_than_he_holds(house: House, runtime: Runtime) -> None:
    ours = await house.organization(ada="owner", bob="admin", grace="owner")
    path = f"/organizations/{ours}/api-keys"
    mighty = await house.make("ada", path, scopes=["organization:audit:read", "organization:role:read"])
    await house.grant(ours, house.people["bob"].id, "viewer")
    async with (unit := runtime.unit()):
        role = await TenantRoles(runtime, unit).create_role(
            ours,
            name="keeper",
            title="Keeper",
            permissions=["organization:api_key:manage", "organization:api_key:read"],
            actor=await acting_for(runtime, house.people["ada"].id, ours),
        )
    await house.grant(ours, house.people["bob"].id, str(role.id))

    rotated = await house.by("bob", "POST", f"{path}/{mighty['id']}/rotate")
    made = await house.by("bob", "POST", path, {"name": "x", "scopes": ["organization:audit:read"]})
    own = await house.by("bob", "POST", path, {"name": "x", "scopes": ["organization:api_key:read"]})
    revoked = await house.by("bob", "DELETE", f"{path}/{mighty['id']}")

    assert code_of(rotated) == code_of(made) == (403, "rights_not_held")
    assert own.status_code == 201
    assert revoked.status_code == 204
