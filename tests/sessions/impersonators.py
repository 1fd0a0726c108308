"""Grace of support, who acts in Ada's name, by the API and at pages."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

import httpx2

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry
from portico.runtime import Runtime
from portico.users.types import Account
from tests.sessions.people import (
    API,
    PAGE_COOKIE,
    PASSWORD,
    SignedInPerson,
    add_person,
    rows_of,
    sign_in,
)

GRACE = "grace@example.org"
REASON = "Ticket 4711"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody of support, signed in, and what he was given of another's."""

    account: Account
    own: SignedInPerson
    as_person: SignedInPerson
    session_id: str


async def add_support(
    runtime: Runtime, role: PlatformRole = PlatformRole.SUPPORT, address: str = GRACE
) -> Account:
    """Make somebody who may act in the name of others."""
    account = await add_person(runtime, address)
    await Grants(runtime, runtime.unit()).grant_role(account.id, role)
    return account


async def ask(person: SignedInPerson, target: Account, **more: Any) -> httpx2.Response:
    """Ask to act in the target's name."""
    return await person.request(
        "POST", f"/admin/users/{target.id}/impersonate", json={"reason": REASON, **more}
    )


async def impersonate(runtime: Runtime, client: httpx2.AsyncClient, target: Account) -> Actor:
    """Sign Grace in, and let her act in the target's name."""
    grace = await add_support(runtime)
    own = await sign_in(client, GRACE, PASSWORD)
    answer = await ask(own, target)
    assert answer.status_code == 201, answer.text
    given = answer.json()
    acting = SignedInPerson(client, given["access_token"], given["refresh_token"])
    return Actor(grace, own, acting, given["session_id"])


async def impersonate_at_pages(
    client: httpx2.AsyncClient, actor_cookie: str, target: Account, token: str
) -> str:
    """Go over to the target's name in the browser whose session cookie this is; return the new cookie."""
    client.cookies.clear()
    answer = await client.post(
        f"{API}/admin/users/{target.id}/impersonate",
        json={"reason": REASON, "transport": "page"},
        headers={"Cookie": f"{PAGE_COOKIE}={actor_cookie}", "X-CSRF-Token": token},
    )
    assert answer.status_code == 201, answer.text
    assert "access_token" not in answer.json()
    cookie = answer.cookies[PAGE_COOKIE]
    client.cookies.clear()
    return cookie


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, without verifying it."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def entries(runtime: Runtime, action: str) -> list[AuditEntry]:
    """Return what stands on the trail of an act."""
    return list(await rows_of(runtime, AuditEntry, AuditEntry.action == action))
