"""Refused requests leave entries, and however many there are, the trail does not fill up with them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from portico.alerts.models import Alert
from portico.alerts.services.following import Following
from portico.api_keys.types import KEY_FORMAT
from portico.audit.models import AuditEntry, AuditPersonal
from portico.audit.refusals import OTHERS, RefusalTally
from portico.audit.types import Outcome
from portico.core.context import RequestContext, set_current_request
from portico.core.ids import new_id
from portico.http.refusals import RefusalKind
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import chain, verdict
from tests.integration.ground import API, Population, populate
from tests.sessions.people import FAST_HASHES, rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-16.3.2", "ASVS-16.3.3")]

MINUTE = timedelta(minutes=1)
FORGED = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
FOREIGN = {"Origin": "https://evil.example"}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False}, "audit": {"refusal_entries": 20}}


@pytest.fixture
def tally(runtime: Runtime) -> RefusalTally:
    return runtime.get(RefusalTally)


@pytest.fixture
async def population(runtime: Runtime) -> Population:
    return await populate(runtime)


async def refused(runtime: Runtime) -> list[AuditEntry]:
    rows = [row for row in await rows_of(runtime, AuditEntry) if row.action.startswith("request.")]
    return sorted(rows, key=lambda row: row.seq)


async def test_forged_bearers_of_a_minute_are_one_entry(
    runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, tally: RefusalTally
) -> None:
    for _ in range(3):
        assert (await client.get(f"{API}/users/me", headers=FORGED)).status_code == 401
        clock.advance(timedelta(seconds=1))
    assert await tally.write() == 0  # the minute is not over
    clock.advance(MINUTE)
    await tally.write()
    await client.get(f"{API}/users/me", headers=FORGED)
    clock.advance(MINUTE)
    await tally.write()
    first, second = await refused(runtime)
    personal = {row.entry_id: row.fields for row in await rows_of(runtime, AuditPersonal)}

    assert (first.action, first.outcome) == (RefusalKind.CREDENTIAL, Outcome.REFUSED)
    assert (first.reason, first.details["count"], second.details["count"]) == ("token_rejected", 3, 1)
    assert personal[first.id]["client_address"] == "127.0.0.1"


async def test_each_way_of_forging_is_told(
    runtime: Runtime,
    client: httpx2.AsyncClient,
    clock: FrozenClock,
    tally: RefusalTally,
    population: Population,
) -> None:
    cookie = {"Cookie": f"portico_session={population.ada.cookie}"}
    login = {"identifier": "ada@example.org", "password": "no"}
    asked = [
        await client.post("/logout", headers=cookie),
        await client.post(f"{API}/auth/login", json=login, headers=FOREIGN),
        await client.get(f"{API}/users/me", headers={"Authorization": "Bearer"}),
        await client.get(f"{API}/users/me", headers={"X-API-Key": f"{KEY_FORMAT.prefix}nonsense"}),
        await client.post(
            "/oauth/token", data={"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}
        ),
    ]
    clock.advance(MINUTE)
    await tally.write()
    told = {(row.action, row.reason): row.actor_id for row in await refused(runtime)}

    assert [answer.status_code for answer in asked] == [403, 403, 401, 401, 401]
    assert told == {
        ("request.forgery_refused", "csrf_token_invalid"): population.ada.id,
        ("request.forgery_refused", "origin_refused"): None,
        ("request.credential_refused", "malformed_credential"): None,
        ("request.credential_refused", "api_key_rejected"): None,
        ("request.credential_refused", "invalid_client"): None,
    }


class TestLimited:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "rate_limit": {"enabled": True, "read": "3/minute"}}

    async def test_requests_beyond_a_limit_are_told(
        self, runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, tally: RefusalTally
    ) -> None:
        ada = (await populate(runtime)).ada
        answers = [await client.get(f"{API}/users/me", headers=ada.bearer) for _ in range(5)]
        clock.advance(MINUTE)
        await tally.write()
        (row,) = await refused(runtime)

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert (row.action, row.details["count"], row.actor_id) == ("request.rate_refused", 2, ada.id)


async def test_what_is_let_through_or_has_expired_is_not_told(
    client: httpx2.AsyncClient,
    clock: FrozenClock,
    tally: RefusalTally,
    population: Population,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a granted request nothing of it runs, so nothing of it costs anything."""

    def never(*_: Any) -> None:
        raise AssertionError("asked on the way of a request that is let through")

    monkeypatch.setattr(RefusalTally, "note", never)
    granted = await client.get(f"{API}/users/me", headers=population.ada.bearer)
    clock.advance(timedelta(minutes=16))
    expired = await client.get(f"{API}/users/me", headers=population.ada.bearer)
    missing = await client.get(f"{API}/users/me")

    assert (granted.status_code, expired.status_code, missing.status_code) == (200, 401, 401)


async def test_a_flood_fills_nothing(runtime: Runtime, clock: FrozenClock, tally: RefusalTally) -> None:
    """30,000 refusals from 3,000 addresses within three minutes: what they leave is bounded, and they are counted."""
    for _ in range(3):
        for number in range(10_000):
            address = f"203.0.{number % 3_000 // 250}.{number % 250}"
            set_current_request(RequestContext(request_id="x", client_address=address))
            tally.note(RefusalKind.CREDENTIAL, "token_rejected", None)
        clock.advance(MINUTE)
        await tally.write()
    rows = await refused(runtime)
    reasons = Counter(row.reason for row in rows)

    assert reasons == {"token_rejected": 3 * 20, OTHERS: 3}
    assert sum(row.details["count"] for row in rows) == 30_000
    assert await chain(runtime) >= 63
    assert (await verdict(runtime)).is_sound


async def test_a_subnet_of_ipv6_is_one_caller(
    runtime: Runtime, clock: FrozenClock, tally: RefusalTally
) -> None:
    for number in range(100):
        set_current_request(RequestContext(request_id="x", client_address=f"2001:db8::{number + 1:x}"))
        tally.note(RefusalKind.CREDENTIAL, "token_rejected", None)
    clock.advance(MINUTE)
    await tally.write()

    assert [row.details["count"] for row in await refused(runtime)] == [100]


async def test_a_database_that_is_away_costs_bounded_memory(
    runtime: Runtime, clock: FrozenClock, tally: RefusalTally, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("away"))

    with monkeypatch.context() as broken:
        broken.setattr("portico.audit.repositories.entries.EntryRepository.write", away)
        for _ in range(30):
            for _ in range(100):
                tally.note(RefusalKind.RATE, "rate_limited", new_id())
            clock.advance(MINUTE)
            with pytest.raises(OperationalError):
                await tally.write()
            assert len(tally._over) <= 3 * 23
        await tally.write_last()  # the process stops all the same
    kept = await tally.write()

    assert kept == len(await refused(runtime)) == 3 * 23


async def test_what_was_counted_is_written_when_the_process_stops(
    runtime: Runtime, tally: RefusalTally
) -> None:
    tally.note(RefusalKind.RATE, "rate_limited", None)
    await tally.write_last()

    assert len(await refused(runtime)) == 1


@pytest.mark.bar("ASVS-16.3.1")
async def test_many_of_them_raise_one_alert_and_are_found(
    runtime: Runtime,
    client: httpx2.AsyncClient,
    clock: FrozenClock,
    tally: RefusalTally,
    population: Population,
) -> None:
    for _ in range(3):
        for _ in range(40):
            await client.get(f"{API}/users/me", headers=FORGED)
        clock.advance(MINUTE)
        await tally.write()
    await chain(runtime)
    await Following(runtime).run()
    found = await client.get(
        f"{API}/admin/audit?action_prefix=request.&outcome=refused", headers=population.grace.bearer
    )
    alerts = [row for row in await rows_of(runtime, Alert) if row.rule == "requests_refused"]

    assert [row["details"]["count"] for row in found.json()["data"]] == [40, 40, 40]
    assert len(alerts) == 1


async def test_who_belongs_to_no_organization_counts_as_one_refusal(
    runtime: Runtime, client: httpx2.AsyncClient, population: Population
) -> None:
    """Somebody who is signed in invents organizations: each is refused, and one entry a minute tells it."""
    for _ in range(20):
        answer = await client.get(f"{API}/organizations/{new_id()}/audit", headers=population.ada.bearer)
        assert answer.status_code == 404
    rows = [row for row in await rows_of(runtime, AuditEntry) if row.action == "permission.refused"]

    assert len(rows) <= 1


class TestOff:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "audit": {"refusal_entries": 0}}

    async def test_nothing_is_kept(
        self, runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, tally: RefusalTally
    ) -> None:
        await client.get(f"{API}/users/me", headers=FORGED)
        clock.advance(MINUTE)

        assert await tally.write() == 0
