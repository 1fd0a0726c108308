"""The API of alerts: everybody sees his own part, and only that."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from portico.access.types import PlatformRole
from portico.alerts.models import Alert
from portico.audit.models import AuditEntry
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganizations
from tests.alerts.conftest import Enter, Follow, alerts_of, refuse_password, write
from tests.sessions.people import API

pytestmark = pytest.mark.anyio


async def raise_some(runtime: Runtime, follow: Follow, user_id: UUID) -> list[Alert]:
    """Raise one alert about a person's account, and one about a key."""
    for _ in range(10):
        await refuse_password(runtime, user_id)
    await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await follow()
    return [*await alerts_of(runtime, "failed_sign_ins"), *await alerts_of(runtime, "honeytoken_used")]


async def test_administrator_lists_takes_on_and_resolves(
    runtime: Runtime, enter: Enter, follow: Follow
) -> None:
    grace = await enter("grace", PlatformRole.SUPERUSER)
    failed, honey = await raise_some(runtime, follow, uuid4())
    listed = (await grace.get("/admin/alerts", severity="critical")).json()
    taken = await grace.post(f"/admin/alerts/{honey.id}/acknowledge")
    again = await grace.post(f"/admin/alerts/{honey.id}/acknowledge")
    done = await grace.post(f"/admin/alerts/{honey.id}/resolve", note="A drill.")
    late = await grace.post(f"/admin/alerts/{honey.id}/acknowledge")
    one = (await grace.get(f"/admin/alerts/{failed.id}")).json()

    assert [each["id"] for each in listed["data"]] == [str(honey.id)]
    assert (taken.json()["status"], taken.json()["acknowledged_by"]) == ("acknowledged", str(grace.id))
    assert again.json() == taken.json()
    assert (done.json()["status"], done.json()["note"]) == ("resolved", "A drill.")
    assert (late.status_code, late.json()["code"]) == (409, "alert_resolved")
    assert (one["rule"], one["count"], one["title"]) == ("failed_sign_ins", 10, "Many failed sign-ins")


async def test_list_by_cursor_shows_everything_once(runtime: Runtime, enter: Enter, follow: Follow) -> None:
    grace = await enter("grace", PlatformRole.SUPERUSER)
    for _ in range(7):
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await follow()
    seen: list[str] = []
    asked: dict[str, Any] = {"page_size": 3, "rule": "honeytoken_used"}
    while True:
        page = (await grace.get("/admin/alerts", **asked)).json()
        seen += [each["id"] for each in page["data"]]
        if not page["pagination"]["has_next"]:
            break
        asked["cursor"] = page["pagination"]["next_cursor"]

    assert sorted(seen) == sorted(str(alert.id) for alert in await alerts_of(runtime, "honeytoken_used"))
    assert len(seen) == 7


@pytest.mark.parametrize(
    ("role", "may"),
    [(PlatformRole.SUPPORT, (200, 200, 403)), (PlatformRole.AUDITOR, (200, 403, 403))],
)
async def test_support_takes_on_and_auditors_only_read(
    runtime: Runtime, enter: Enter, follow: Follow, role: PlatformRole, may: tuple[int, ...]
) -> None:
    bob = await enter("bob", role)
    alert, _ = await raise_some(runtime, follow, uuid4())
    answers = [
        await bob.get("/admin/alerts"),
        await bob.post(f"/admin/alerts/{alert.id}/acknowledge"),
        await bob.post(f"/admin/alerts/{alert.id}/resolve"),
    ]

    assert tuple(answer.status_code for answer in answers) == may


@pytest.mark.bar("ASVS-6.3.5")
async def test_person_sees_and_answers_his_own_alone(runtime: Runtime, enter: Enter, follow: Follow) -> None:
    ada, bob = await enter("ada"), await enter("bob")
    await write(
        runtime, "session.revoked", actor=ada.id, subject=("user", uuid4()), details={"sessions": ["1"] * 30}
    )
    alert, _ = await raise_some(runtime, follow, ada.id)
    own = (await ada.get("/users/me/alerts")).json()["data"]
    others = (await bob.get("/users/me/alerts")).json()["data"]
    stolen = await bob.post(f"/users/me/alerts/{alert.id}/resolve")
    suspicion = (await alerts_of(runtime, "mass_revocation"))[0]
    pardoned = await ada.post(f"/users/me/alerts/{suspicion.id}/resolve")
    done = await ada.post(f"/users/me/alerts/{alert.id}/resolve")

    assert [each["rule"] for each in own] == ["failed_sign_ins"]
    assert "note" not in own[0]
    assert (others, stolen.status_code, pardoned.status_code) == ([], 404, 404)
    assert (done.json()["status"], suspicion.subject_id) == ("resolved", ada.id)


async def test_what_people_do_with_alerts_is_on_the_trail(
    runtime: Runtime, enter: Enter, follow: Follow
) -> None:
    grace = await enter("grace", PlatformRole.SUPERUSER)
    alert, _ = await raise_some(runtime, follow, uuid4())
    await grace.post(f"/admin/alerts/{alert.id}/acknowledge")
    await grace.post(f"/admin/alerts/{alert.id}/resolve")
    async with runtime.reads() as session:
        query = select(AuditEntry).where(AuditEntry.action.startswith("alert.")).order_by(AuditEntry.seq)
        entries = list(await session.scalars(query))

    assert [(entry.action, entry.actor_id, entry.subject_id) for entry in entries] == [
        ("alert.acknowledged", grace.id, alert.id),
        ("alert.resolved", grace.id, alert.id),
    ]


async def test_note_that_is_no_text_is_refused(
    runtime: Runtime, enter: Enter, client: httpx2.AsyncClient, follow: Follow
) -> None:
    grace = await enter("grace", PlatformRole.SUPERUSER)
    alert, _ = await raise_some(runtime, follow, uuid4())
    answers = [
        await grace.post(f"/admin/alerts/{alert.id}/resolve", note=note) for note in ("", "a\x07b", "x" * 501)
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert (await client.get(f"{API}/admin/alerts")).status_code == 401


async def test_organization_sees_its_part_by_owner_and_administrator(
    runtime: Runtime, enter: Enter, follow: Follow, organizations: TestOrganizations
) -> None:
    ada, bob, carol, eve = [await enter(name) for name in ("ada", "bob", "carol", "eve")]
    acme, other = await organizations.make(ada), await organizations.make(eve)
    await organizations.join(acme, bob, "admin")
    await organizations.join(acme, carol)
    await follow()
    (alert,) = await alerts_of(runtime)
    path = f"/organizations/{acme.id}/alerts"
    lists = [await caller.get(path) for caller in (ada, bob, carol, eve)]
    foreign = [
        await eve.get(f"/organizations/{other.id}/alerts/{alert.id}"),
        await eve.post(f"/organizations/{other.id}/alerts/{alert.id}/acknowledge"),
        await eve.post(f"/organizations/{other.id}/alerts/{alert.id}/resolve"),
        await carol.post(f"{path}/{alert.id}/resolve"),
    ]
    done = [
        await bob.get(f"{path}/{alert.id}"),
        await bob.post(f"{path}/{alert.id}/acknowledge"),
        await bob.post(f"{path}/{alert.id}/resolve", note="It was agreed."),
    ]

    assert (alert.rule, alert.organization_id, alert.subject_id) == ("role_escalation", acme.id, bob.id)
    assert [answer.status_code for answer in lists] == [200, 200, 403, 404]
    assert [[each["id"] for each in answer.json()["data"]] for answer in lists[:2]] == [[str(alert.id)]] * 2
    assert [answer.json()["code"] for answer in foreign] == [*["alert_not_found"] * 3, "permission_denied"]
    assert [answer.json()["status"] for answer in done] == ["open", "acknowledged", "resolved"]


async def test_cursor_of_another_organization_is_refused(
    runtime: Runtime, enter: Enter, follow: Follow, organizations: TestOrganizations
) -> None:
    ada = await enter("ada")
    acme, other = await organizations.make(ada), await organizations.make(ada)
    for organization in (acme, other):
        for name in ("bob", "carol"):
            await organizations.join(organization, await enter(f"{name}{organization.slug}"), "admin")
    await follow()
    page = (await ada.get(f"/organizations/{acme.id}/alerts", page_size=1)).json()["pagination"]
    cursor = page["next_cursor"]
    good = await ada.get(f"/organizations/{acme.id}/alerts", page_size=1, cursor=cursor)
    bad = await ada.get(f"/organizations/{other.id}/alerts", page_size=1, cursor=cursor)

    assert (good.status_code, bad.status_code, bad.json()["code"]) == (200, 400, "cursor_invalid")
