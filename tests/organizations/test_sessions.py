"""In which organization a session works: chosen, remembered, left; and what its tokens say of it."""

import base64
import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.organizations.conftest import Caller
from tests.sessions.people import rows_of, sign_in

pytestmark = pytest.mark.anyio

ACTIVE = "/organizations/active"


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))  # type: ignore[no-any-return]


async def active_of(caller: Caller) -> list[str]:
    page = await caller.ask("GET", "/organizations")
    return [each["id"] for each in page["data"] if each["is_active"]]


async def test_same_token_goes_on(ada: Caller, acme: TestOrganization) -> None:
    assert await active_of(ada) == []

    answer = await ada.ask("PUT", ACTIVE, json={"organization_id": str(acme.id)})
    assert answer["organization"]["slug"] == acme.slug
    assert await active_of(ada) == [str(acme.id)]

    await ada.ask("PUT", ACTIVE, json={"organization_id": None})
    assert await active_of(ada) == []


async def test_token_names_it(ada: Caller, acme: TestOrganization) -> None:
    assert "org_id" not in claims_of(ada.signed_in.access_token)
    await ada.ask("PUT", ACTIVE, json={"organization_id": str(acme.id)})

    refreshed = (await ada.signed_in.refresh()).json()

    assert claims_of(refreshed["access_token"])["org_id"] == str(acme.id)


async def test_refresh_after_leaving_names_none(
    ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)
    await bob.ask("PUT", ACTIVE, json={"organization_id": str(acme.id)})
    await ada.ask("DELETE", f"/organizations/{acme.id}/members/{bob.id}")

    refreshed = (await bob.signed_in.refresh()).json()

    assert "org_id" not in claims_of(refreshed["access_token"])


async def test_coming_back_begins_anew(
    runtime: Runtime, ada: Caller, bob: Caller, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)
    await bob.ask("PUT", ACTIVE, json={"organization_id": str(acme.id)})
    await bob.ask("POST", f"/organizations/{acme.id}/leave")
    await organizations.join(acme, bob)

    assert await active_of(bob) == []
    rows = await rows_of(runtime, Session, Session.user_id == bob.id)
    assert {row.active_organization_id for row in rows} == {None}


async def test_sign_in_goes_where_one_was(
    client: httpx2.AsyncClient, ada: Caller, organizations: TestOrganizations, acme: TestOrganization
) -> None:
    other = await organizations.make(ada)

    undecided = await sign_in(client, ada.address)
    assert "org_id" not in claims_of(undecided.access_token)

    await ada.ask("PUT", ACTIVE, json={"organization_id": str(other.id)})
    decided = await sign_in(client, ada.address)
    assert claims_of(decided.access_token)["org_id"] == str(other.id)


async def test_sign_in_goes_to_the_only_one(
    client: httpx2.AsyncClient, ada: Caller, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    assert claims_of((await sign_in(client, ada.address)).access_token)["org_id"] == str(acme.id)

    await organizations.disable(acme)
    assert "org_id" not in claims_of((await sign_in(client, ada.address)).access_token)


@pytest.mark.bar("CVE-2026-33132")
async def test_nobody_works_where_he_does_not_belong(
    runtime: Runtime, ada: Caller, eve: Caller, acme: TestOrganization
) -> None:
    body = {"organization_id": str(acme.id)}
    assert await eve.refused("PUT", ACTIVE, 404, json=body) == "organization_not_found"

    # Even written into the row by hand it is not believed.
    async with runtime.unit() as unit:
        for row in (await unit.session.scalars(_sessions_of(eve))).all():
            row.active_organization_id = acme.id
    refreshed = (await eve.signed_in.refresh()).json()
    assert "org_id" not in claims_of(refreshed["access_token"])


async def test_on_the_trail(runtime: Runtime, ada: Caller, acme: TestOrganization) -> None:
    await ada.ask("PUT", ACTIVE, json={"organization_id": str(acme.id)})

    switched = AuditEntry.action == "session.organization_switched"
    (entry,) = await rows_of(runtime, AuditEntry, switched)
    assert (entry.actor_id, entry.organization_id) == (ada.id, acme.id)


def _sessions_of(caller: Caller) -> Any:
    return select(Session).where(Session.user_id == caller.id)
