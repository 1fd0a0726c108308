"""CHECK-3: whatever ends the rights of either of the two ends an impersonation at once, on every way in.

A table of acts against a table of credentials, each used right before the act, so that it is believed from memory,
and right after it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import delete, update

from portico.access.models import RoleGrant
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry
from portico.coordination.revocations import RevocationLog
from portico.core.ids import SessionId
from portico.http.csrf import token_for
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.tokens.events import RefreshTokenReused
from portico.tokens.types import FamilyId
from portico.users.models import User
from portico.users.services import Users
from portico.users.types import Account, UserStatus
from tests.sessions.impersonators import GRACE, Actor, impersonate, impersonate_at_pages
from tests.sessions.people import API, PAGE_COOKIE, PASSWORD, by_cookie, rows_of, sign_in, sign_in_by_page

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "a calculus of the nervous system"


@dataclass(frozen=True, slots=True)
class Scene:
    runtime: Runtime
    client: httpx2.AsyncClient
    ada: Account
    actor: Actor


async def actor_signs_out(scene: Scene) -> None:
    assert (await scene.actor.own.request("POST", "/auth/logout")).status_code == 204


async def actor_signs_out_everywhere(scene: Scene) -> None:
    other = await sign_in(scene.client, GRACE)
    assert (await other.request("POST", "/auth/logout-all")).status_code == 204


async def actor_is_signed_out_by_an_administrator(scene: Scene) -> None:
    await Sessions(scene.runtime, scene.runtime.unit()).end_sessions_of(
        scene.actor.account.id, SessionEnd.REVOKED
    )


async def actors_refresh_token_is_replayed(scene: Scene) -> None:
    own_id = await _own_id(scene)
    async with scene.runtime.unit() as unit:
        event = RefreshTokenReused(
            at=scene.runtime.clock.now(),
            family_id=FamilyId(own_id),
            session_id=SessionId(own_id),
            grant_id=None,
            client_id="portico",
            generations_behind=2,
        )
        await scene.runtime.get(EventBus).emit(event, unit)


async def actor_is_deactivated(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).deactivate_user(scene.actor.account.id)


async def actor_is_deleted(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).delete_account(scene.actor.account.id)


async def actor_loses_his_role(scene: Scene) -> None:
    grants = Grants(scene.runtime, scene.runtime.unit())
    await grants.revoke_role(scene.actor.account.id, PlatformRole.SUPPORT)


async def actor_changes_his_password(scene: Scene) -> None:
    """In the very session that he began from, which lives on."""
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await scene.actor.own.request("POST", "/auth/password/change", json=body)
    assert answer.status_code == 204, answer.text
    assert (await scene.actor.own.who_am_i()).status_code == 200


async def person_gains_rights(scene: Scene) -> None:
    await Grants(scene.runtime, scene.runtime.unit()).grant_role(scene.ada.id, PlatformRole.SUPERUSER)


async def person_signs_out_everywhere(scene: Scene) -> None:
    other = await sign_in(scene.client)
    assert (await other.request("POST", "/auth/logout-all")).status_code == 204


async def person_changes_his_password(scene: Scene) -> None:
    other = await sign_in(scene.client)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await other.request("POST", "/auth/password/change", json=body)).status_code == 204


async def person_is_deactivated(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).deactivate_user(scene.ada.id)


async def person_is_deleted(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).delete_account(scene.ada.id)


type Act = Callable[[Scene], Awaitable[None]]
ACTS: tuple[Act, ...] = (
    actor_signs_out,
    actor_signs_out_everywhere,
    actor_is_signed_out_by_an_administrator,
    actors_refresh_token_is_replayed,
    actor_is_deactivated,
    actor_is_deleted,
    actor_loses_his_role,
    actor_changes_his_password,
    person_gains_rights,
    person_signs_out_everywhere,
    person_changes_his_password,
    person_is_deactivated,
    person_is_deleted,
)


async def _own_id(scene: Scene) -> UUID:
    [acting] = await rows_of(scene.runtime, Session, Session.id == _uuid(scene.actor.session_id))
    own_id: UUID = acting.actor_session_id
    return own_id


def _uuid(text: str) -> UUID:
    return UUID(text)


async def statuses(scene: Scene, cookie: str | None = None) -> dict[str, int]:
    found = {
        "access token": (await scene.actor.as_person.who_am_i()).status_code,
        "refresh token": (await scene.actor.as_person.refresh()).status_code,
    }
    if cookie is not None:
        found["page cookie"] = (await by_cookie(scene.client, cookie)).status_code
    return found


@pytest.mark.bar("CHECK-3", "ASVS-7.4.1", "ASVS-7.4.2", "ASVS-8.3.2")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_no_credential_of_an_impersonation_survives(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, act: Act
) -> None:
    actor = await impersonate(runtime, client, ada)
    scene = Scene(runtime, client, ada, actor)
    assert (await actor.as_person.who_am_i()).status_code == 200

    await act(scene)

    assert await statuses(scene) == {"access token": 401, "refresh token": 401}
    [row] = await rows_of(runtime, Session, Session.id == _uuid(actor.session_id))
    assert row.ended_at is not None
    ended = await rows_of(runtime, AuditEntry, AuditEntry.action == "impersonation.ended")
    assert [str(entry.session_id) for entry in ended] == [actor.session_id]


@pytest.mark.bar("CHECK-3")
async def test_a_page_falls_with_the_page_that_it_began_from(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    await impersonate(runtime, client, ada)
    own = await sign_in_by_page(runtime, GRACE)
    acting = await impersonate_at_pages(client, own, ada, token_for(runtime.secret, own))
    assert (await by_cookie(client, acting)).status_code == 200
    client.cookies.clear()

    left = await client.post(
        "/logout",
        data={"csrf_token": token_for(runtime.secret, own)},
        headers={"Cookie": f"{PAGE_COOKIE}={own}", "Origin": runtime.settings.public_url},
    )

    assert left.status_code == 303
    assert (await by_cookie(client, acting)).status_code == 401


@pytest.mark.bar("CHECK-3", "CHECK-24")
@pytest.mark.parametrize(
    "loss", ["actor's session", "actor's account", "actor's role", "person's role", "person's account"]
)
async def test_the_row_alone_is_not_believed(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, loss: str
) -> None:
    """Changed by hand, past every service that would end the impersonation: reading it anew refuses it."""
    actor = await impersonate(runtime, client, ada)
    scene = Scene(runtime, client, ada, actor)
    assert (await actor.as_person.who_am_i()).status_code == 200
    grace, now = actor.account.id, runtime.clock.now()
    own_id = await _own_id(scene)
    changes = {
        "actor's session": update(Session).where(Session.id == own_id).values(ended_at=now),
        "actor's account": update(User).where(User.id == grace).values(status=UserStatus.DEACTIVATED),
        "actor's role": delete(RoleGrant).where(RoleGrant.principal_id == grace),
        "person's account": update(User).where(User.id == ada.id).values(status=UserStatus.DEACTIVATED),
    }
    async with runtime.unit() as unit:
        if loss == "person's role":
            unit.session.add(RoleGrant(principal_id=ada.id, role=PlatformRole.AUDITOR, granted_at=now))
        else:
            await unit.session.execute(changes[loss])
        subject = "user:" + str(ada.id if "person" in loss else grace)
        if loss == "actor's session":
            subject = f"session:{own_id}"
        await runtime.get(RevocationLog).append(unit, [subject])

    assert await statuses(scene) == {"access token": 401, "refresh token": 401}
    person_sees = await Sessions(runtime, runtime.unit()).list_sessions(ada.id)
    assert [view for view in person_sees if view.impersonated_by] == []


async def test_the_actors_other_sessions_and_the_persons_own_go_on(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    """Only what began from a session falls with it."""
    person = await sign_in(client)
    actor = await impersonate(runtime, client, ada)
    other = await sign_in(client, GRACE)

    assert (await other.request("POST", "/auth/logout")).status_code == 204
    assert (await actor.as_person.who_am_i()).status_code == 200
    assert (await actor.own.request("POST", "/auth/logout")).status_code == 204

    assert (await actor.as_person.who_am_i()).status_code == 401
    assert (await person.who_am_i()).status_code == 200
    assert (await person.refresh()).status_code == 200


async def test_two_who_act_in_each_others_names_end_each_other(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    actor = await impersonate(runtime, client, ada)
    await Grants(runtime, runtime.unit()).grant_role(ada.id, PlatformRole.SUPPORT)
    person = await sign_in(client)
    answer = await person.request(
        "POST", f"/admin/users/{actor.account.id}/impersonate", json={"reason": "and back"}
    )
    assert answer.status_code == 201
    back = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get(f"{API}/users/me", headers=back)).status_code == 200

    assert (await person.request("POST", "/auth/logout-all")).status_code == 204

    assert (await client.get(f"{API}/users/me", headers=back)).status_code == 401
    assert (await actor.as_person.who_am_i()).status_code == 401
    assert (await actor.own.who_am_i()).status_code == 200
