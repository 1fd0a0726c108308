"""Who may use the admin API: the matrix of all its routes, and that rights are asked of the database."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from portico.access.models import RoleGrant
from portico.core.ids import new_id
from portico.db.base import Base
from portico.http.routing import BodyKind, RouteRow, route_table
from portico.runtime import Runtime
from portico.users.models import User
from portico.users.types import Account
from tests.sessions.people import API, SignedInPerson, rows_of, sign_in

pytestmark = pytest.mark.anyio

MOST_FAULTS = 40
"""Names sent at once: an answer lists fifty faults, and some are those of missing fields."""


def admin_rows(app: FastAPI) -> list[RouteRow]:
    return [row for row in route_table(app) if row.path.startswith(f"{API}/admin")]


def address_of(row: RouteRow) -> str:
    return (
        row.path.replace("{user_id}", str(new_id()))
        .replace("{session_id}", str(new_id()))
        .replace("{token_id}", str(new_id()))
    )


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.bar("CHECK-1", "ASVS-8.2.1", "ASVS-8.1.1")
async def test_every_admin_route_refuses_strangers_and_people_without_rights(
    app: FastAPI, client: httpx2.AsyncClient, ada: Account, subtests: pytest.Subtests
) -> None:
    person = await sign_in(client)
    rows = admin_rows(app)
    assert len(rows) > 15

    for row in rows:
        with subtests.test(f"{row.method} {row.path}"):
            stranger = await client.request(row.method, address_of(row))
            nobody = await client.request(row.method, address_of(row), headers=person.headers)

            assert (stranger.status_code, nobody.status_code) == (401, 403)
            assert all(permission.startswith("platform:") for permission in row.access)


@pytest.mark.bar("CHECK-24", "ASVS-8.3.2", "CVE-2026-43983")
async def test_rights_are_read_from_the_database_not_from_memory(
    runtime: Runtime, client: httpx2.AsyncClient, admin: SignedInPerson
) -> None:
    """A grant that vanishes without an announcement is gone for the very next request."""
    assert (await admin.request("GET", "/admin/users")).status_code == 200
    async with runtime.unit() as unit:
        await unit.session.execute(delete(RoleGrant))

    assert (await admin.request("GET", "/admin/users")).status_code == 403


def columns() -> dict[str, Any]:
    names = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    return dict.fromkeys(sorted(names | {"role", "is_admin", "is_superuser", "verified", "owner_id"}), True)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.bar(
    "CHECK-17", "ASVS-15.3.3", "ASVS-8.2.3", "CVE-2026-40172", "CVE-2026-49443", "CVE-2026-27946",
    "CVE-2026-0871", "CVE-2025-61928",
)  # fmt: skip
async def test_no_body_takes_a_field_that_it_does_not_name(
    runtime: Runtime,
    app: FastAPI,
    client: httpx2.AsyncClient,
    admin: SignedInPerson,
    subtests: pytest.Subtests,
) -> None:
    """Every column name of the database, sent to every body of sign-in, sessions and admin."""
    rows = [
        row
        for row in route_table(app)
        if row.entry.takes in {BodyKind.JSON, BodyKind.FORM}
        and row.path.startswith((f"{API}/auth/", f"{API}/admin/"))
    ]
    before = [(user.id, user.version, user.status) for user in await rows_of(runtime, User)]

    for row in rows:
        # A quick route has its documented twin behind it, which says what the body of both holds.
        documented = next(each for each in rows if each.path == row.path and each.entry.dependant is not None)
        foreign = [name for name in columns() if name not in _field_names(documented)]
        for names in batched(foreign, MOST_FAULTS):
            with subtests.test(f"{row.path} {names[0]}…{names[-1]}"):
                answer = await _send(client, row, names, admin.headers)

                assert answer.status_code == 422, answer.text
                faults = {fault["field"]: fault["code"] for fault in answer.json()["errors"]}
                assert {faults.get(name) for name in names} == {"extra_forbidden"}, faults

    after = [(user.id, user.version, user.status) for user in await rows_of(runtime, User)]
    assert after == before


async def _send(
    client: httpx2.AsyncClient, row: RouteRow, names: Sequence[str], headers: Mapping[str, str]
) -> httpx2.Response:
    if row.entry.takes is BodyKind.FORM:
        form = dict.fromkeys(names, "1")
        return await client.request(row.method, address_of(row), headers=headers, data=form)
    body = dict.fromkeys(names, True)
    return await client.request(row.method, address_of(row), headers=headers, json=body)


def _field_names(row: RouteRow) -> set[str]:
    dependant = row.entry.dependant
    assert dependant is not None
    return {
        name
        for parameter in dependant.body_params
        for name in getattr(parameter.field_info.annotation, "model_fields", {})
    }


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.bar("ASVS-6.4.6", "ASVS-6.3.2")
async def test_no_administrator_can_choose_a_password(app: FastAPI) -> None:
    rows = [row for row in admin_rows(app) if row.entry.takes is BodyKind.JSON]

    assert rows
    assert not [row.path for row in rows for name in _field_names(row) if "password" in name]
    assert not [row.path for row in rows if "password" in row.path]


async def test_an_administrator_by_cookie_needs_the_token_too(
    runtime: Runtime, client: httpx2.AsyncClient, root: Account, ada: Account
) -> None:
    from tests.admin.conftest import ROOT
    from tests.sessions.people import PAGE_COOKIE, sign_in_by_page

    cookie = await sign_in_by_page(runtime, ROOT)

    answer = await client.post(
        f"{API}/admin/users/{ada.id}/deactivate", headers={"Cookie": f"{PAGE_COOKIE}={cookie}"}
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf_token_invalid"
