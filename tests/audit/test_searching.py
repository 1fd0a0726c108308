"""The trail is searched: the platform's administrators see all, an organization its own part."""

from datetime import timedelta
from uuid import UUID

import httpx2
import pytest

from portico.audit.schemas import OrganizationTrailQuery, TrailQuery
from portico.audit.services import Trail
from portico.audit.types import Outcome, TrailEntry
from portico.http.errors import CursorInvalid
from portico.http.pagination import SortOrder
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import ADA, BOB, NORTH, SOUTH, act
from tests.sessions.people import SignedInPerson

pytestmark = pytest.mark.anyio


async def numbers(runtime: Runtime, query: TrailQuery) -> list[int]:
    return [entry.details["number"] for entry in (await Trail(runtime).list_entries(query)).data]


async def test_filters(runtime: Runtime, clock: FrozenClock) -> None:
    start = clock.now()
    await act(runtime, 1)
    clock.advance(timedelta(hours=1))
    await act(runtime, 1, details={"number": 1}, actor=BOB, outcome=Outcome.REFUSED)
    await act(runtime, 1, details={"number": 2}, subject=("document", SOUTH), organization_id=NORTH)
    asked = {
        "all": TrailQuery(),
        "oldest first": TrailQuery(sort_order=SortOrder.ASC),
        "prefix": TrailQuery(action_prefix="test."),
        "part of a prefix": TrailQuery(action_prefix="est."),
        "percent": TrailQuery(action_prefix="te%"),
        "actor": TrailQuery(actor_id=BOB),
        "subject": TrailQuery(subject_id=SOUTH),
        "type": TrailQuery(subject_type="document"),
        "outcome": TrailQuery(outcome=Outcome.REFUSED),
        "organization": TrailQuery(organization_id=NORTH),
        "request": TrailQuery(request_id="req-1"),
        "another request": TrailQuery(request_id="req-2"),
        "since": TrailQuery(since=start + timedelta(minutes=1)),
        "until": TrailQuery(until=start + timedelta(minutes=1)),
    }

    found = {name: await numbers(runtime, query) for name, query in asked.items()}

    assert found == {
        "all": [2, 1, 0],
        "oldest first": [0, 1, 2],
        "prefix": [2, 1, 0],
        "part of a prefix": [],
        "percent": [],
        "actor": [1],
        "subject": [2],
        "type": [2],
        "outcome": [1],
        "organization": [2],
        "request": [2, 1, 0],
        "another request": [],
        "since": [2, 1],
        "until": [0],
    }


async def test_an_organization_sees_its_own_part_by_its_own_cursor(runtime: Runtime) -> None:
    await act(runtime, 3, organization_id=NORTH)
    await act(runtime, 3, organization_id=SOUTH)
    await act(runtime, 3)
    trail, query = Trail(runtime), OrganizationTrailQuery(page_size=2)

    first = await trail.list_of_organization(NORTH, query)
    query = query.model_copy(update={"cursor": first.pagination.next_cursor})
    second = await trail.list_of_organization(NORTH, query)

    entries: list[TrailEntry] = [*first.data, *second.data]
    assert [entry.details["number"] for entry in entries] == [2, 1, 0]
    assert {entry.organization_id for entry in entries} == {NORTH}
    with pytest.raises(CursorInvalid):
        await trail.list_of_organization(SOUTH, query)


async def test_what_the_side_table_still_knows_is_shown(runtime: Runtime) -> None:
    from portico.audit.services.erasing import erase_person
    from portico.core.ids import PrincipalId, UserId

    await act(runtime, personal={"email": "ada@example.org"})
    [known] = (await Trail(runtime).list_entries(TrailQuery(action="test.acted"))).data
    async with runtime.unit() as unit:
        await erase_person(UserId(PrincipalId(ADA)), unit, runtime)
    [unknown] = (await Trail(runtime).list_entries(TrailQuery(action="test.acted"))).data

    assert (known.client_address, known.personal and known.personal["email"]) == (
        "203.0.113.7",
        "ada@example.org",
    )
    assert (unknown.personal, unknown.client_address, unknown.actor_id) == (None, None, ADA)
    assert isinstance(unknown.id, UUID)


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize(
    "query",
    [
        TrailQuery(),
        TrailQuery(actor_id=ADA),
        TrailQuery(organization_id=NORTH),
        TrailQuery(action="test.acted"),
    ],
    ids=["all", "actor", "organization", "action"],
)
async def test_any_depth_is_read_from_an_index(runtime: Runtime, query: TrailQuery) -> None:
    from sqlalchemy import select, text, tuple_

    from portico.audit.models import AuditEntry
    from portico.audit.repositories.trail import conditions_of

    await act(runtime, 2, organization_id=NORTH)
    here = tuple_(AuditEntry.at, AuditEntry.seq) < tuple_(runtime.clock.now(), 1_000)
    statement = select(AuditEntry.id).where(*conditions_of(query.filter), here)
    statement = statement.order_by(AuditEntry.at.desc(), AuditEntry.seq.desc()).limit(20)
    async with runtime.unit() as unit:
        await unit.session.execute(text("SET LOCAL enable_seqscan = off"))
        await unit.session.execute(text("SET LOCAL enable_sort = off"))
        compiled = statement.compile(
            dialect=unit.session.get_bind().dialect, compile_kwargs={"literal_binds": True}
        )
        plan = "\n".join(await unit.session.scalars(text(f"EXPLAIN {compiled}")))

    assert "Index" in plan
    assert "Sort" not in plan


class TestApi:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, object]:
        from tests.sessions.people import FAST_HASHES

        return {"credentials": FAST_HASHES}

    async def test_the_admin_route_takes_the_filters(
        self, runtime: Runtime, client: httpx2.AsyncClient
    ) -> None:
        from portico.access.services import Grants
        from portico.access.types import PlatformRole
        from tests.sessions.people import add_person, sign_in

        account = await add_person(runtime, "root@example.org", username="grace")
        await Grants(runtime, runtime.unit()).grant_role(account.id, PlatformRole.SUPERUSER)
        admin: SignedInPerson = await sign_in(client, "root@example.org")
        await act(runtime, 2, organization_id=NORTH, changes={"name": ("a", "b")})

        params = {
            "organization_id": str(NORTH),
            "action_prefix": "test.",
            "subject_type": "user",
            "page_size": 1,
        }
        answer = (await admin.request("GET", "/admin/audit", params=params)).json()

        [entry] = answer["data"]
        assert answer["pagination"]["total"] == 2
        assert (entry["organization_id"], entry["changes"]) == (str(NORTH), {"name": ["a", "b"]})
        assert (entry["client_address"], entry["personal"]["client_address"]) == ("203.0.113.7",) * 2
        assert entry["credential_id"] is None
