"""What attacks share: a small population, a fingerprint of all that is stored, and what a refusal must look like."""

import hashlib
import os
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import LargeBinary, Table, select

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.core.ids import UserId
from portico.db.base import Base
from portico.oauth.protocol.refusals import ErrorCode
from portico.runtime import Runtime
from portico.sessions.services.access_tokens import AccessTokens
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.types import AuthMethod, Transport
from portico.users.types import Account
from tests.sessions.people import add_person

SCALE = int(os.environ.get("PORTICO_TEST_SCALE", "1"))
"""How much longer than in the quick run the samples are."""
API = "/api/v1"
EVIL = "evil.example"
OF_THE_EDGE = frozenset({400, 405, 413, 414, 421, 429, 431, 503})
"""With what an endpoint of the protocol is refused before the protocol begins."""
MOVES_BY_ITSELF = frozenset({"portico_workers"})
"""Tables that the running process writes to whatever is asked."""
TRACES = frozenset({"portico_audit_entries", "portico_audit_personal", "portico_guess_counters"})
"""Tables in which a refusal may leave a trace."""
TRACE_OF_CODE = re.compile(
    r"Traceback|File \"|line \d+, in|\.py\b|sqlalchemy|asyncpg|sqlite|pydantic|starlette|site-packages|Error\("
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a session that was opened without hashing anything."""

    account: Account
    opened: OpenedSession
    access_token: str
    cookie: str
    """Of a session of the pages; empty where none was asked for."""

    @property
    def id(self) -> UserId:
        return self.account.id

    @property
    def session_id(self) -> str:
        return str(self.opened.session.id)

    @property
    def refresh_token(self) -> str:
        assert self.opened.refresh_token is not None
        return str(self.opened.refresh_token)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


async def enter(runtime: Runtime, account: Account, *, at_pages: bool = True) -> Person:
    """Open a session of the API for the person, and one of the pages, as signing in does after the password."""
    opened = await _opened(runtime, account, Transport.BODY)
    page = await _opened(runtime, account, Transport.PAGE) if at_pages else None
    token = runtime.get(AccessTokens).mint(opened.session).value
    return Person(account, opened, token, (page and page.cookie) or "")


async def _opened(runtime: Runtime, account: Account, transport: Transport) -> OpenedSession:
    opening = SessionOpening(runtime, runtime.unit())
    return await opening.open(account.id, amr=(AuthMethod.PASSWORD,), transport=transport)


async def make_superuser(runtime: Runtime, account: Account) -> None:
    """Let the person rule the deployment."""
    unit = runtime.unit()
    async with unit:
        await Grants(runtime, unit).grant_role(account.id, PlatformRole.SUPERUSER)


@dataclass(frozen=True, slots=True)
class Population:
    """An ordinary person, another one, and the administrator."""

    ada: Person
    bob: Person
    grace: Person


async def populate(runtime: Runtime) -> Population:
    """Fill a deployment with three people who are signed in."""
    accounts = [
        await add_person(runtime, f"{name}@example.org", username=f"{name}.person")
        for name in ("ada", "bob", "grace")
    ]
    await make_superuser(runtime, accounts[2])
    return Population(*[await enter(runtime, account) for account in accounts])


async def stored(runtime: Runtime, *, but: Collection[str] = ()) -> dict[str, str]:
    """Return a checksum of every table, traces included unless they are named in `but`."""
    sums = {}
    async with runtime.reads() as session:
        connection = await session.connection()
        for table in tables(but):
            raw = await connection.exec_driver_sql(f"SELECT * FROM {table.name}")
            rows = [repr(tuple(row)) for row in raw]
            sums[table.name] = hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()[:16]
    return sums


def tables(but: Collection[str] = ()) -> list[Table]:
    """Return the tables whose content a request may decide."""
    return [
        table
        for name, table in sorted(Base.metadata.tables.items())
        if name.startswith("portico_") and name not in MOVES_BY_ITSELF and name not in but
    ]


@asynccontextmanager
async def nothing_written(runtime: Runtime, *, but: Collection[str] = ()) -> AsyncIterator[None]:
    """Assert that the block leaves every table as it was, except those in `but`."""
    before = await stored(runtime, but=but)
    yield
    after = await stored(runtime, but=but)

    changed = sorted(name for name in before if before[name] != after[name])
    assert not changed, f"written to: {changed}"


async def dump(runtime: Runtime) -> str:
    """Return all that is stored as one text, binary columns as hexadecimal and as latin-1."""
    lines = []
    async with runtime.reads() as session:
        for table in tables():
            binary = [isinstance(column.type, LargeBinary) for column in table.columns]
            for row in await session.execute(select(table)):
                lines += [
                    f"{value.hex()} {value.decode('latin-1')}" if is_binary and value else repr(value)
                    for value, is_binary in zip(row, binary, strict=True)
                ]
    return "\n".join(lines)


class Answered(Protocol):
    """What is looked at in an answer; of the client's and of `tests.integration.wire`."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


def assert_problem(
    answer: Answered, *statuses: int, code: str | None = None, told: str | None = None
) -> dict[str, Any]:
    """Assert that an answer is a whole problem document and gives nothing of the inside away; return it.

    `told` names what must not be repeated, such as a secret that was sent.
    """
    assert not statuses or answer.status_code in statuses, f"{answer.status_code}: {answer.text[:300]}"
    assert answer.status_code >= 400, answer.text[:300]
    assert answer.headers["content-type"].partition(";")[0] == "application/problem+json", answer.text[:300]
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= document.keys(), document
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:portico:problem:{document['code']}"
    assert re.fullmatch(r"[a-z][a-z0-9_]*", document["code"]), document
    assert document["request_id"] == answer.headers["x-request-id"]
    assert TRACE_OF_CODE.search(answer.text) is None, answer.text[:500]
    assert code is None or document["code"] == code, document
    assert told is None or told not in answer.text
    return document


def assert_protocol_error(answer: Answered, *statuses: int, told: str | None = None) -> dict[str, Any]:
    """Assert that an answer is an error in the shape of RFC 6749, section 5.2, and gives nothing of the inside away.

    What the edge refuses before (too large, too many, not to be read) is a problem document there, too.
    """
    assert not statuses or answer.status_code in statuses, f"{answer.status_code}: {answer.text[:300]}"
    if answer.headers["content-type"].partition(";")[0] == "application/problem+json":
        assert answer.status_code in OF_THE_EDGE, answer.text[:300]
        return assert_problem(answer, told=told)
    assert answer.status_code in {400, 401, 403, 404}, f"{answer.status_code}: {answer.text[:300]}"
    assert answer.headers["content-type"].partition(";")[0] == "application/json", answer.text[:300]
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    assert document.keys() == {"error", "error_description"}, document
    assert document["error"] in set(ErrorCode), document
    # RFC 6749, section 5.2: %x20-21 / %x23-5B / %x5D-7E
    assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", document["error_description"]), document
    assert TRACE_OF_CODE.search(answer.text) is None, answer.text[:500]
    assert told is None or told not in answer.text
    return document


def without_ids(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without what differs between any two answers."""
    gone = {"x-request-id", "date", "server"}
    return {name.lower(): value for name, value in headers.items() if name.lower() not in gone}
