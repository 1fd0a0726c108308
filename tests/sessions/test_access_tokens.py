"""Access tokens: what they say, that they are believed only as long as they may be, and what is no token at all."""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import event, update

from portico.coordination.revocations import RevocationLog
from portico.core.ids import new_id
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.services import AccessTokens, BelievedPrincipals, PageCookies
from portico.sessions.services.believed import KeySpace
from portico.testing.clock import FrozenClock
from portico.users.types import Account
from tests.sessions.people import API, FAST_HASHES, SignedInPerson, by_cookie, rows_of, sign_in_by_page

pytestmark = pytest.mark.anyio

ONE_DATABASE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For what has nothing to do with the database."""

type SignIn = Callable[[], Awaitable[SignedInPerson]]


def claims_of(token: str) -> dict[str, Any]:
    return _decoded(token.split(".")[1])


def _decoded(part: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return decoded


@contextmanager
def counted_statements(runtime: Runtime) -> Iterator[list[str]]:
    """Collect the statements that both engines run."""
    seen: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engines = [runtime.database.reader.sync_engine, runtime.database.writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.bar("ASVS-9.2.2", "ASVS-9.2.3")
@ONE_DATABASE
async def test_claims_are_those_of_rfc_9068(
    runtime: Runtime, ada: Account, signed_in: SignIn, clock: FrozenClock
) -> None:
    token = (await signed_in()).access_token

    header, claims = _decoded(token.split(".")[0]), claims_of(token)
    [session] = await rows_of(runtime, Session)
    now = int(clock.now().timestamp())
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert claims.pop("jti")
    assert claims == {
        "iss": "http://localhost:8000",
        "sub": str(ada.id),
        "aud": "http://localhost:8000/api/v1",
        "client_id": "portico",
        "iat": now,
        "exp": now + 900,
        "sid": str(session.id),
        "scope": "",
        "auth_time": now,
        "acr": "aal1",
        "amr": ["pwd"],
    }


async def test_a_believed_token_asks_the_database_nothing(runtime: Runtime, signed_in: SignIn) -> None:
    token = (await signed_in()).access_token
    tokens = runtime.get(AccessTokens)
    assert tokens.find(token) is None
    principal = await tokens.verify(token)

    with counted_statements(runtime) as statements:
        found = [tokens.find(token) for _ in range(100)]

    assert statements == []
    assert found == [principal] * 100


async def test_an_unremembered_token_asks_one_statement(runtime: Runtime, signed_in: SignIn) -> None:
    token = (await signed_in()).access_token

    with counted_statements(runtime) as statements:
        await runtime.get(AccessTokens).verify(token)

    assert len([each for each in statements if not each.startswith("PRAGMA")]) == 1


@pytest.mark.bar("ASVS-9.2.1", "ASVS-7.2.2")
async def test_a_believed_token_expires_by_the_clock(signed_in: SignIn, clock: FrozenClock) -> None:
    person = await signed_in()
    assert (await person.who_am_i()).status_code == 200
    clock.advance(timedelta(minutes=14, seconds=59))
    assert (await person.who_am_i()).status_code == 200
    clock.advance(timedelta(seconds=2))

    answer = await person.who_am_i()

    assert answer.status_code == 401
    assert answer.json()["reason"] == "token_expired"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.bar("GHSA-x883-2vmg-xwf7", "CHECK-24")
async def test_nothing_is_believed_while_revocations_may_go_unheard(
    runtime: Runtime, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the follower cut off, each request asks the database, which here ended the session unannounced."""
    person = await signed_in()
    assert (await person.who_am_i()).status_code == 200
    async with runtime.unit() as unit:
        await unit.session.execute(update(Session).values(ended_at=runtime.clock.now()))
    assert (await person.who_am_i()).status_code == 200

    monkeypatch.setattr(runtime.get(RevocationLog), "_follower", None)

    assert (await person.who_am_i()).status_code == 401


@pytest.mark.bar("CVE-2026-33496", "CVE-2023-48309")
async def test_what_is_believed_of_one_kind_is_not_believed_of_another(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn
) -> None:
    person, cookie = await signed_in(), await sign_in_by_page(runtime)
    assert (await person.who_am_i()).status_code == 200
    assert (await by_cookie(client, cookie)).status_code == 200

    assert runtime.get(PageCookies).find(person.access_token) is None
    assert runtime.get(AccessTokens).find(cookie) is None
    assert (await by_cookie(client, person.access_token)).status_code == 401
    assert (await SignedInPerson(client, cookie, "").who_am_i()).status_code == 401


@pytest.mark.bar("CVE-2026-33496")
def test_keys_differ_by_kind_issuer_and_audience() -> None:
    spaces = [
        KeySpace("at+jwt", "https://a", "https://a/api"),
        KeySpace("at+jwt", "https://a", "https://b/api"),
        KeySpace("at+jwt", "https://b", "https://a/api"),
        KeySpace("page", "https://a", "https://a/api"),
        KeySpace("at+jwt", "https://a\0https://a/api"),
        KeySpace("at+jwt", "https://a"),
    ]

    keys = [space.key("token") for space in spaces] + [spaces[-1].key("https://a/api\0token")]

    assert len(set(keys[:4] + keys[5:6])) == 5


class TestSmallMemory:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"credentials": FAST_HASHES, "sessions": {"cached_credentials": 3}}

    async def test_the_memory_is_bounded(self, runtime: Runtime, signed_in: SignIn) -> None:
        people = [await signed_in() for _ in range(5)]
        for person in people:
            assert (await person.who_am_i()).status_code == 200

        assert len(runtime.get(BelievedPrincipals)) == 3
        for person in people:
            assert (await person.who_am_i()).status_code == 200


MALFORMED = [
    "Bearer",
    "Bearer ",
    "Bearer  {token}",
    "Bearer\t{token}",
    "Bearer {token} ",
    "Bearer {token},",
    "Bearer {token}, Bearer {token}",
    "Bearer {token} {token}",
    "Bearer,{token}",
    "Basic x, Bearer {token}",
    "Bearer: {token}",
    "Bearer={token}",
    'Bearer token="{token}"',
    "BearerBearer {token}",
    "Bearer {token}\u00e9",
    "\u00fcBearer {token}",
    "Bearer {token}%00",
    "Bearer %%%",
    "Bearer " + "." * 9_000,
    "Bearer " + "." * 8_000,
    "Bearer " + "a" * 9_000,
    "Bearer {token}A",
    "Bearer {token}=",
    "Token {token}",
    "{token}",
    "",
]
"""What HTTP clients trim by themselves is not in the list."""


@pytest.mark.bar("CVE-2026-0707", "CVE-2026-73418", "CVE-2025-30204", "CHECK-24")
@ONE_DATABASE
async def test_a_header_that_breaks_the_grammar_is_refused(
    client: httpx2.AsyncClient, signed_in: SignIn, subtests: pytest.Subtests
) -> None:
    """Garbage is 401, or 4xx from the edge, which measures headers; never 5xx, and never let in."""
    person = await signed_in()
    assert (await person.who_am_i()).status_code == 200

    for template in MALFORMED:
        with subtests.test(template[:40]):
            header = template.format(token=person.access_token).encode("latin-1")
            answer = await client.get(f"{API}/users/me", headers=[(b"authorization", header)])

            assert answer.status_code in {400, 401}, answer.text


@ONE_DATABASE
async def test_the_scheme_is_the_same_in_any_case(client: httpx2.AsyncClient, signed_in: SignIn) -> None:
    person = await signed_in()

    answer = await client.get(f"{API}/users/me", headers={"Authorization": f"bEARER {person.access_token}"})

    assert answer.status_code == 200


@ONE_DATABASE
async def test_two_authorization_headers_are_refused(client: httpx2.AsyncClient, signed_in: SignIn) -> None:
    person = await signed_in()
    header = ("Authorization", f"Bearer {person.access_token}")

    answer = await client.get(f"{API}/users/me", headers=[header, header])

    assert answer.status_code in {400, 401}


@pytest.mark.bar("R17", "ASVS-14.2.1")
@ONE_DATABASE
async def test_a_token_in_the_query_is_no_credential(client: httpx2.AsyncClient, signed_in: SignIn) -> None:
    person = await signed_in()

    for name in ("access_token", "token", "bearer", "authorization"):
        answer = await client.get(f"{API}/users/me", params={name: person.access_token})

        assert answer.status_code == 401


FOREIGN_CLAIMS: list[dict[str, Any]] = [
    {"client_id": "other"},
    {"sid": None},
    {"sid": "not an id"},
    {"sid": 7},
    {"sid": str(new_id())},
    {"sub": str(new_id())},
    {"sub": "ada"},
    {"aud": "http://localhost:8000"},
    {"iss": "http://evil.example"},
]


@ONE_DATABASE
async def test_a_token_that_we_signed_with_other_claims_is_refused(
    runtime: Runtime, client: httpx2.AsyncClient, signed_in: SignIn, subtests: pytest.Subtests
) -> None:
    person = await signed_in()
    for changed in FOREIGN_CLAIMS:
        with subtests.test(str(changed)):
            claims = {**claims_of(person.access_token), **changed}
            token = runtime.get(Keyring).sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ="at+jwt")

            answer = await SignedInPerson(client, token, "").who_am_i()

            assert answer.status_code == 401


async def test_use_is_noted_coarsely_and_off_the_path(
    runtime: Runtime, signed_in: SignIn, clock: FrozenClock
) -> None:
    from portico.sessions.jobs import note_use_of_sessions

    person = await signed_in()
    made = clock.now()
    await person.who_am_i()
    clock.advance(timedelta(seconds=61))
    await person.who_am_i()
    assert [row.last_seen_at for row in await rows_of(runtime, Session)] == [made]

    await note_use_of_sessions(runtime)

    [row] = await rows_of(runtime, Session)
    assert row.last_seen_at == clock.now()
    assert row.idle_expires_at == made + timedelta(days=7)
    with counted_statements(runtime) as statements:
        await note_use_of_sessions(runtime)
    assert statements == []
