"""Figures, trail, keys and registration tokens."""

from datetime import timedelta

import httpx2
import pytest

from portico.admin.services import Totals
from portico.audit.models import AuditEntry
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.users.types import Account
from tests.sessions.people import ADDRESS, API, PASSWORD, SignedInPerson, add_person, log_in, rows_of, sign_in

pytestmark = pytest.mark.anyio


async def test_figures(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=8))
    await add_person(runtime, "new@example.org", verified=False)
    await add_person(runtime, "gone@example.org")
    fresh = await sign_in(client, "root@example.org")
    for address in ("gone@example.org", "new@example.org"):
        [found] = (await fresh.request("GET", "/admin/users", params={"q": address})).json()["data"]
        act = ("DELETE", "") if address.startswith("gone") else ("POST", "/deactivate")
        await fresh.request(act[0], f"/admin/users/{found['id']}{act[1]}")
    await log_in(client, ADDRESS, "wrong password")
    await sign_in(client)

    figures = (await fresh.request("GET", "/admin/stats")).json()

    assert figures.pop("at")
    assert figures == {
        "people": 3,
        "active": 2,
        "verified": 2,
        "new_24h": 1,
        "new_7d": 1,
        "new_30d": 3,
        "live_sessions": 2,
        "failed_sign_ins_24h": 1,
    }


async def test_the_trail_is_read_by_page_cursor_and_filter(
    client: httpx2.AsyncClient, admin: SignedInPerson, ada: Account
) -> None:
    for _ in range(3):
        await sign_in(client)

    whole = (await admin.request("GET", "/admin/audit")).json()
    sign_ins = (await admin.request("GET", "/admin/audit", params={"action": "session.created"})).json()
    of_ada = (
        await admin.request("GET", "/admin/audit", params={"actor_id": str(ada.id), "q": "session"})
    ).json()
    first = (await admin.request("GET", "/admin/audit", params={"page_size": 2})).json()
    params = {"page_size": 2, "cursor": first["pagination"]["next_cursor"]}
    second = (await admin.request("GET", "/admin/audit", params=params)).json()

    ids = [entry["id"] for entry in whole["data"]]
    assert ids == sorted(ids, reverse=True)
    assert sign_ins["pagination"]["total"] == 4
    assert of_ada["pagination"]["total"] == 3
    assert [entry["id"] for entry in first["data"] + second["data"]] == ids[:4]
    assert {"at", "action", "outcome", "actor_id", "client_address", "request_id"} <= set(whole["data"][0])


async def test_the_trail_refuses_naive_and_odd_times(admin: SignedInPerson) -> None:
    for since in ("yesterday", "2026-13-01", "2026-01-01T00:00:00"):
        answer = await admin.request("GET", "/admin/audit", params={"since": since})
        assert answer.status_code == 422
    later = await admin.request("GET", "/admin/audit", params={"since": "2031-01-01T00:00:00Z"})
    until = await admin.request("GET", "/admin/audit", params={"until": "2031-01-01T00:00:00+02:00"})
    assert (later.json()["data"], until.json()["data"] != []) == ([], True)


@pytest.mark.bar("P31")
async def test_keys_are_seen_and_rotated_and_nothing_stops(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson, clock: FrozenClock, root: Account
) -> None:
    [before] = (await admin.request("GET", "/admin/keys")).json()["data"]

    rotated = await admin.request("POST", "/admin/keys/rotate", json={})
    again = await admin.request("POST", "/admin/keys/rotate", json={"purpose": "access_token"})

    keys = (await admin.request("GET", "/admin/keys")).json()["data"]
    assert rotated.json()["is_new"] is True
    assert again.json() == {**rotated.json(), "is_new": False}
    assert [key["kid"] for key in keys] == [before["kid"], rotated.json()["kid"]]
    assert not any("private" in name or name == "d" for key in keys for name in key)
    assert (await admin.who_am_i()).status_code == 200
    clock.advance(timedelta(minutes=16))
    assert (await sign_in(client, "root@example.org")).access_token
    trail = await rows_of(runtime, AuditEntry, AuditEntry.action.like("key.%"))
    assert [(entry.action, entry.actor_id) for entry in trail] == [
        ("key.rotated", None),
        ("key.rotation_requested", root.id),
        ("key.rotation_requested", root.id),
    ]
    assert (await admin.request("POST", "/admin/keys/rotate", json={"purpose": "x"})).status_code in {
        401,
        422,
    }


async def test_registration_tokens_are_made_listed_and_withdrawn(
    client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    made = await admin.request(
        "POST", "/admin/registration-tokens", json={"note": "for Bob", "max_uses": 2, "role": "superuser"}
    )
    listed = (await admin.request("GET", "/admin/registration-tokens")).json()
    secret = made.json()["secret"]
    body = {"email": "bob@example.org", "password": PASSWORD, "invitation": secret}
    signed_up = await client.post(f"{API}/auth/register", json=body)
    withdrawn = await admin.request("DELETE", f"/admin/registration-tokens/{made.json()['id']}")
    again = await admin.request("DELETE", f"/admin/registration-tokens/{made.json()['id']}")
    body = {"email": "eve@example.org", "password": PASSWORD, "invitation": secret}
    refused = await client.post(f"{API}/auth/register", json=body)

    assert made.status_code == 201
    assert secret not in str(listed)
    assert [(each["note"], each["max_uses"], each["uses"]) for each in listed["data"]] == [("for Bob", 2, 0)]
    bob = await sign_in(client, "bob@example.org")
    assert (await bob.request("GET", "/admin/stats")).status_code == 200
    assert [each.status_code for each in (signed_up, withdrawn, again, refused)] == [201, 204, 404, 400]


async def test_long_lists_are_not_counted_at_every_page(clock: FrozenClock) -> None:
    totals, counted = Totals(clock, timedelta(seconds=10)), []

    async def count(total: int) -> int:
        counted.append(total)
        return total

    short = [await totals.of(b"short", lambda: count(999)) for _ in range(3)]
    long = [await totals.of(b"long", lambda: count(1000)) for _ in range(3)]
    clock.advance(timedelta(seconds=10))
    later = await totals.of(b"long", lambda: count(1001))

    assert (short, long, later) == ([999] * 3, [1000] * 3, 1001)
    assert counted == [999, 999, 999, 1000, 1001]
