"""CHECK-17: no body decides what only the deployment decides.

The name of every column of every table, and what clients of other products send, go into every body beside what is
right: refused everywhere, and nothing is written, least of all the part that was right.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from portico.http.routing import route_table
from portico.oauth.models import OAuthClient
from portico.oauth.routes.descriptions import PARAMETERS
from portico.runtime import Runtime
from portico.web.forms import MACHINERY
from tests.access_matrix.scene import Scene
from tests.access_matrix.table import Row, read_table
from tests.integration.ground import TRACES, nothing_written, tables
from tests.integration.wire import Answer, ask

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
PARTS = 4
"""Into so many runs the routes are split: each asks several thousand times."""
ELSEWHERE = {
    "is_superuser": True, "isAdmin": True, "admin": 1, "superuser": True, "role": "superuser", "roles": ["superuser"],
    "groups": ["admin"], "group": "admin", "permissions": ["*"], "scope": "admin", "scopes": ["*"],
    "emailVerified": True, "email_verified": True, "verified": True, "is_verified": True, "is_active": True,
    "active": True, "userId": "x", "user": {"roles": ["superuser"]}, "owner": "x", "owner_id": "x", "organization": "x",
    "tenant": "x", "sub": "x", "aud": "x", "claims": {}, "amr": ["mfa"], "aal": 3, "acr": "aal3",
    "createdAt": "2000-01-01", "__class__": "x",
    "__proto__": {"admin": True}, "constructor": {}, "$set": {"roles": []}, "passwordHash": "x", "totp_secret": "x",
}  # fmt: skip


def columns() -> dict[str, Any]:
    """Return the name of every column with a value that would do harm."""
    return {column.name: "superuser" for table in tables() for column in table.columns}


def known_fields(app: FastAPI, row: Row) -> set[str]:
    """Return the fields that the route's document takes in its body."""
    operation = app.openapi()["paths"][row.path][row.method.lower()]
    schema = operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
    text = json.dumps(operation["requestBody"]["content"])
    names = [part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]]
    schemas = app.openapi()["components"]["schemas"]
    inline = set(schema.get("properties", {}))
    return inline | {field for name in names for field in schemas[name]["properties"]}


def of_protocol(app: FastAPI) -> set[str]:
    """Return the routes whose specifications have what is not known ignored (RFC 6749, 3.1; RFC 7591, section 2)."""
    return {f"{row.method} {row.path}" for row in route_table(app) if row.entry.is_open_to_clients}


@pytest.mark.bar(
    "CHECK-17",
    "ASVS-15.3.3",
    "ASVS-8.2.3",
    "CVE-2026-40172",
    "CVE-2026-49443",
    "CVE-2026-27946",
    "CVE-2025-61928",
)
@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
async def test_no_json_body_takes_what_it_does_not_know(
    app: FastAPI, runtime: Runtime, scene: Scene, part: int
) -> None:
    wrong: list[str] = []
    ours = [row for row in read_table().values() if row.body is not None and row.name not in of_protocol(app)]
    assert len(ours) > PARTS
    for row in ours[part::PARTS]:
        known, good = known_fields(app, row), await scene.body(dict(row.body or {}), "superuser")
        who = scene.credential("superuser" if row.needs != "public" else "anonymous")
        async with nothing_written(runtime, but=TRACES):
            for name, value in {**columns(), **ELSEWHERE}.items():
                if name in known:
                    continue
                body = json.dumps({**good, name: value}).encode()
                headers = {"content-type": "application/json", **who}
                answer = await ask(app, row.method, scene.path(row.path), headers=headers, body=body)
                named = [fault["field"] for fault in answer.json().get("errors", [])]
                if answer.status_code != 422 or name not in named:
                    wrong.append(f"{row.name}: {name}: {answer.status_code} {answer.text[:80]}")
            assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CHECK-17", "ASVS-15.3.3", "CVE-2026-49448")
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
async def test_no_form_takes_what_it_does_not_know(
    app: FastAPI, runtime: Runtime, scene: Scene, part: int
) -> None:
    wrong: list[str] = []
    ours = [row for row in read_table().values() if row.form and row.name not in of_protocol(app)]
    assert len(ours) > PARTS
    for row in ours[part::PARTS]:
        good = await scene.body(dict(row.form or {}), "user")
        who, path = scene.credential("user" if row.needs != "public" else "anonymous"), scene.path(row.path)
        known = {*good, *MACHINERY, *ALSO_TAKEN.get(row.name, ())}
        async with nothing_written(runtime, but=TRACES):
            for name in [name for name in {**columns(), **ELSEWHERE} if name not in known]:
                if name.startswith(BOXES):
                    continue
                body = urlencode({**good, name: "superuser"}).encode()
                answer = await ask(app, row.method, path, headers={"content-type": FORM, **who}, body=body)
                if answer.status_code != 422:
                    wrong.append(f"{row.name}: {name}: {answer.status_code}")
            empties = (b"", b"=", b"&&", urlencode(dict.fromkeys(good, "")).encode())
            for empty in empties if row.name not in MAY_BE_EMPTY else ():
                answer = await ask(app, row.method, path, headers={"content-type": FORM, **who}, body=empty)
                if answer.status_code < 400:
                    wrong.append(f"{row.name}: {empty!r}: {answer.status_code}")
            assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CHECK-17", "ASVS-15.3.3")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endpoints_of_the_protocol_ignore_what_they_do_not_know(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    """Every unknown parameter at once: the answer is the same as without, and nothing is written."""
    forms = [row for row in read_table().values() if row.form and row.name in of_protocol(app)]
    assert len(forms) > 3
    for row in forms:
        good = await scene.body(dict(row.form or {}), "anonymous")
        known = set(PARAMETERS) | set(good)
        strange = {name: "superuser" for name in {**columns(), **ELSEWHERE} if name not in known}
        async with nothing_written(runtime, but=TRACES):
            plain = await posted(app, row, good)
            some = dict(list(strange.items())[:80])
            stuffed = await posted(app, row, {**good, **some})

        assert stuffed.status_code == plain.status_code, row.name
        if "location" not in plain.headers:
            assert stuffed.text == plain.text, row.name


@pytest.mark.bar("CHECK-17", "ASVS-15.3.3", "CVE-2026-27946")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_client_that_registers_itself_decides_nothing_that_we_decide(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    known = known_fields(app, read_table()["POST /oauth/register"]) | {"client_id", "client_secret"}
    strange = {name: value for name, value in {**columns(), **ELSEWHERE}.items() if name not in known}
    assert {"policy", "source", "organization_id", "created_by", "is_superuser"} <= strange.keys()
    said = {"redirect_uris": ["https://app.example/cb"]}
    kept = []
    for more in ({}, strange):
        made = await told(app, "POST", "/oauth/register", {**said, **more})
        kept.append(await decided_of(runtime, made["client_id"]))
        changed = {**said, **more, "client_id": made["client_id"]}
        again = await told(
            app,
            "PUT",
            f"/oauth/register/{made['client_id']}",
            changed,
            token=made["registration_access_token"],
        )
        kept.append(await decided_of(runtime, made["client_id"]))
        assert not again.keys() & strange.keys()

    assert kept[1:] == kept[:-1]


async def told(
    app: FastAPI, method: str, path: str, body: Mapping[str, Any], *, token: str = ""
) -> dict[str, Any]:
    """Send metadata of a client, and return what is registered."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    answer = await ask(app, method, path, headers=headers, body=json.dumps(body).encode())
    assert answer.status_code < 300, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def decided_of(runtime: Runtime, client_id: str) -> dict[str, Any]:
    """Return a client as it is stored, without what is its own by nature."""
    async with runtime.reads() as session:
        row = (
            await session.execute(select(OAuthClient).where(OAuthClient.client_id == client_id))
        ).scalar_one()
        return {
            column.name: getattr(row, column.name)
            for column in OAuthClient.__table__.columns
            if column.name not in OF_ITS_OWN
        }


async def posted(app: FastAPI, row: Row, fields: Mapping[str, str]) -> Answer:
    """Send a form to an endpoint of the protocol."""
    return await ask(
        app, row.method, row.path, headers={"content-type": FORM}, body=urlencode(fields).encode()
    )


OF_ITS_OWN = {"id", "client_id", "fingerprint", "registration_hash", "version", "created_at", "updated_at"}
BOXES = ("role_", "may_", "method_", "scope.")
"""How the fields of boxes begin: whatever follows is the name of what is ticked."""
ALSO_TAKEN: Mapping[str, set[str]] = {
    "POST /api/v1/auth/token": {"scope", "client_id", "client_secret"},
    "POST /signup": {"username", "full_name", "invitation", "locale", "timezone"},
    "POST /setup": {"username", "full_name"},
    "POST /verify": {"email", "code", "new_password"},
    "POST /reset": {"email"},
    "POST /account": {"username", "locale", "timezone"},
    "POST /account/organizations": {"slug"},
    "POST /account/organizations/restore": {"slug"},
    "POST /account/organizations/{organization_id}/settings": {"slug"},
    "POST /account/organizations/{organization_id}/roles": {"description"},
    "POST /account/organizations/{organization_id}/roles/{role_id}": {"description"},
    "POST /account/organizations/{organization_id}/teams": {"slug", "description"},
    "POST /account/organizations/{organization_id}/teams/{team_id}": {"slug", "description"},
    "POST /device": {"organization_id"},
    "POST /oauth/consent": {"organization_id"},
    "POST /oauth/logout/confirm": {"client_id"},
}
"""Fields that a form has beside those that it must have."""
MAY_BE_EMPTY = {
    "POST /account",
    "POST /account/data/delete",
    "POST /account/organizations/switch",
    "POST /account/organizations/{organization_id}/teams/{team_id}/roles",
    "POST /oauth/logout/confirm",
}
"""A profile may be emptied, an account that is signed in right now is closed without the password, one may work in no
organization, a team need not hold a role, and sign out without going anywhere afterwards."""
