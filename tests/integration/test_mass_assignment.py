"""CHECK-17: no body decides what only the deployment decides.

The name of every column of every table, and what clients of other products send, go into every body beside what is
right: refused everywhere, and nothing is written, least of all the part that was right.
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI

from portico.runtime import Runtime
from tests.access_matrix.scene import Scene
from tests.access_matrix.table import Row, read_table
from tests.integration.ground import TRACES, nothing_written, tables
from tests.integration.wire import ask

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
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
    text = json.dumps(operation["requestBody"]["content"])
    names = [part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]]
    schemas = app.openapi()["components"]["schemas"]
    return {name for schema in names for name in schemas[schema]["properties"]}


@pytest.mark.bar(
    "CHECK-17",
    "ASVS-15.3.3",
    "ASVS-8.2.3",
    "CVE-2026-40172",
    "CVE-2026-49443",
    "CVE-2026-27946",
    "CVE-2025-61928",
)
async def test_no_json_body_takes_what_it_does_not_know(app: FastAPI, runtime: Runtime, scene: Scene) -> None:
    wrong: list[str] = []
    for row in [row for row in read_table().values() if row.body is not None]:
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
async def test_no_form_takes_what_it_does_not_know(app: FastAPI, runtime: Runtime, scene: Scene) -> None:
    wrong: list[str] = []
    for row in [row for row in read_table().values() if row.form]:
        good = await scene.body(dict(row.form or {}), "user")
        who = scene.credential("user" if row.needs != "public" else "anonymous")
        known = {
            *good,
            "next",
            "csrf_token",
            "email",
            "code",
            "token",
            "username",
            "password",
            "new_password",
            "locale",
        }
        known |= {"full_name", "timezone", "invitation", "scope", "client_id", "client_secret"}
        async with nothing_written(runtime, but=TRACES):
            for name in [name for name in {**columns(), **ELSEWHERE} if name not in known]:
                body = urlencode({**good, name: "superuser"}).encode()
                answer = await ask(
                    app, row.method, row.path, headers={"content-type": FORM, **who}, body=body
                )
                if answer.status_code < 400:
                    wrong.append(f"{row.name}: {name}: {answer.status_code}")
            empties = (b"", b"=", b"&&", urlencode(dict.fromkeys(good, "")).encode())
            for empty in empties if row.name not in MAY_BE_EMPTY else ():
                answer = await ask(
                    app, row.method, row.path, headers={"content-type": FORM, **who}, body=empty
                )
                if answer.status_code < 400:
                    wrong.append(f"{row.name}: {empty!r}: {answer.status_code}")
            assert not wrong, "\n".join(["", *wrong])


MAY_BE_EMPTY = {"POST /account", "POST /account/data/delete", "POST /account/organizations/switch"}
"""A profile may be emptied, an account that is signed in right now is closed without the password, and one may work in
no organization."""
