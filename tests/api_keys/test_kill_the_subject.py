"""CHECK-3 for keys: whatever ends a key, whoever it acts for, or its organization ends it at once, on every node.

Each key is used right before the act on both nodes, so that both believe it from memory, and right after it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest

from portico.access.services import TenantGrants, Tenants
from portico.api_keys.services import BelievedKeys
from portico.core.ids import OrganizationId
from portico.messaging import EventBus
from portico.organizations.models import Organization
from portico.organizations.services import OrganizationLifecycle
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.users.events import UserClaimed
from portico.users.services import Users
from tests.api_keys.conftest import SELF, House, by_key
from tests.integration.ground import API

pytestmark = pytest.mark.anyio

SCOPE = "organization:service_account:read"


@dataclass(frozen=True, slots=True)
class Scene:
    house: House
    organization_id: OrganizationId
    account_id: str
    keys: dict[str, dict[str, str]]
    clock: FrozenClock

    @property
    def runtime(self) -> Runtime:
        return self.house.runtime

    @property
    def at(self) -> str:
        return f"/organizations/{self.organization_id}"


async def deactivate(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).deactivate_user(scene.house.people["ada"].id)


async def delete(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).delete_account(scene.house.people["ada"].id)


async def claim(scene: Scene) -> None:
    async with (unit := scene.runtime.unit()):
        event = UserClaimed(at=scene.clock.now(), user_id=scene.house.people["ada"].id)
        await scene.runtime.get(EventBus).emit(event, unit)


async def put_out(scene: Scene) -> None:
    grants = TenantGrants(scene.runtime, scene.runtime.unit())
    await grants.put_out(scene.organization_id, scene.house.people["ada"].id, actor=None)


async def disable_organization(scene: Scene) -> None:
    organizations = OrganizationLifecycle(scene.runtime, scene.runtime.unit())
    await organizations.disable(scene.organization_id, actor=None)


async def delete_organization(scene: Scene) -> None:
    organizations = OrganizationLifecycle(scene.runtime, scene.runtime.unit())
    await organizations.delete(scene.organization_id, actor=None, permission=None)


async def remove_tenant(scene: Scene) -> None:
    async with (unit := scene.runtime.unit()):
        row = await unit.session.get(Organization, scene.organization_id)
        await unit.session.delete(row)
        await unit.session.flush()
        await Tenants(scene.runtime, unit).remove(scene.organization_id)


async def disable_service_account(scene: Scene) -> None:
    path = f"{scene.at}/service-accounts/{scene.account_id}/disable"
    assert (await scene.house.by("ada", "POST", path)).status_code == 200


async def delete_service_account(scene: Scene) -> None:
    path = f"{scene.at}/service-accounts/{scene.account_id}"
    assert (await scene.house.by("ada", "DELETE", path)).status_code == 204


async def revoke_each(scene: Scene) -> None:
    for kind, made in scene.keys.items():
        path = "/api-keys" if kind.startswith("personal") else f"{scene.at}/api-keys"
        assert (await scene.house.by("ada", "DELETE", f"{path}/{made['id']}")).status_code == 204


async def revoke_by_administrator(scene: Scene) -> None:
    for made in scene.keys.values():
        answer = await scene.house.by("grace", "DELETE", f"/admin/api-keys/{made['id']}")
        assert answer.status_code == 204


async def rotate_without_overlap(scene: Scene) -> None:
    for kind, made in scene.keys.items():
        path = "/api-keys" if kind.startswith("personal") else f"{scene.at}/api-keys"
        answer = await scene.house.by("ada", "POST", f"{path}/{made['id']}/rotate", {"overlap_hours": 0})
        assert answer.status_code == 200, answer.text


async def let_time_pass(scene: Scene) -> None:
    scene.clock.advance(timedelta(days=90))


PERSONAL, BOUND, ACCOUNT, ORGANIZATION = "personal", "personal, bound", "service account", "organization"
EVERY = {PERSONAL, BOUND, ACCOUNT, ORGANIZATION}
ACTS: tuple[tuple[Callable[[Scene], Awaitable[None]], set[str]], ...] = (
    (deactivate, {PERSONAL, BOUND}),
    (delete, {PERSONAL, BOUND}),
    (claim, EVERY),
    (put_out, {BOUND}),
    (disable_organization, EVERY - {PERSONAL}),
    (delete_organization, EVERY - {PERSONAL}),
    (remove_tenant, EVERY - {PERSONAL}),
    (disable_service_account, {ACCOUNT}),
    (delete_service_account, {ACCOUNT}),
    (revoke_each, EVERY),
    (revoke_by_administrator, EVERY),
    (rotate_without_overlap, EVERY),
    (let_time_pass, EVERY),
)


@pytest.fixture
async def scene(house: House, clock: FrozenClock) -> Scene:
    made_by_ada = await house.by("ada", "POST", "/organizations", {"name": "Analytical Engines"})
    where = OrganizationId(UUID(made_by_ada.json()["id"]))
    grace = {"user_id": str(house.people["grace"].id), "roles": ["owner"]}
    joined = await house.by("grace", "POST", f"/admin/organizations/{where}/members", grace)
    assert joined.status_code == 201, joined.text
    accounts = f"/organizations/{where}/service-accounts"
    account = await house.by("ada", "POST", accounts, {"name": "a robot", "roles": ["admin"]})
    keys, scopes = f"/organizations/{where}/api-keys", [SCOPE]
    made = {
        PERSONAL: await house.make("ada", scopes=SELF),
        BOUND: await house.make("ada", scopes=[SCOPE, *SELF], organization_id=str(where)),
        ACCOUNT: await house.make("ada", keys, scopes=scopes, service_account_id=account.json()["id"]),
        ORGANIZATION: await house.make("ada", keys, scopes=scopes),
    }
    return Scene(house, where, account.json()["id"], made, clock)


async def statuses(scene: Scene, client: httpx2.AsyncClient) -> dict[str, int]:
    """Use every key."""
    answers = {}
    for kind, made in scene.keys.items():
        path = "/users/me" if kind == PERSONAL else f"{scene.at}/service-accounts"
        answer = await client.get(f"{API}{path}", headers=by_key(made["key"]))
        answers[kind] = answer.status_code
    return answers


@pytest.mark.bar("CHECK-3", "ASVS-7.4.1", "ASVS-7.4.2", "CVE-2024-46999")
@pytest.mark.parametrize(("act", "dead"), ACTS, ids=lambda given: getattr(given, "__name__", ""))
async def test_the_keys_are_dead_at_once_on_every_node(
    scene: Scene,
    client: httpx2.AsyncClient,
    elsewhere: httpx2.AsyncClient,
    act: Callable[[Scene], Awaitable[None]],
    dead: set[str],
) -> None:
    living = dict.fromkeys(scene.keys, 200)
    assert [await statuses(scene, node) for node in (client, elsewhere)] == [living, living]
    assert len(scene.runtime.get(BelievedKeys)) == len(living)

    await act(scene)

    expected = {kind: 401 if kind in dead else 200 for kind in scene.keys}
    assert [await statuses(scene, node) for node in (client, elsewhere)] == [expected, expected]


@pytest.mark.bar("CHECK-3")
async def test_what_ended_does_not_come_back_what_was_switched_off_does(
    scene: Scene, client: httpx2.AsyncClient
) -> None:
    await deactivate(scene)
    await disable_organization(scene)
    off = await statuses(scene, client)
    await Users(scene.runtime, scene.runtime.unit()).activate_user(scene.house.people["ada"].id)
    organizations = OrganizationLifecycle(scene.runtime, scene.runtime.unit())
    await organizations.enable(scene.organization_id, actor=None)

    on = await statuses(scene, client)

    assert set(off.values()) == {401}
    assert on == {PERSONAL: 401, BOUND: 401, ACCOUNT: 200, ORGANIZATION: 200}


async def test_all_that_is_dead_looks_the_same(scene: Scene) -> None:
    await revoke_each(scene)
    house, unknown = scene.house, "pak_" + "A" * 49
    answers = [
        await house.me(text)
        for text in (scene.keys[PERSONAL]["key"], unknown, scene.keys[PERSONAL]["key"][:-1], "pak_")
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({str(answer.json() | {"request_id": ""}) for answer in answers}) == 1
    assert answers[0].json()["reason"] == "api_key_rejected"


async def test_who_was_put_out_and_comes_back_makes_new_keys(
    scene: Scene, client: httpx2.AsyncClient
) -> None:
    await put_out(scene)
    await scene.house.grant(scene.organization_id, UUID(str(scene.house.people["ada"].id)), "owner")

    assert (await statuses(scene, client))[BOUND] == 401
