"""Odd headers, paths, verbs and query parameters: they open nothing, break nothing and write nothing."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import pytest
from fastapi import FastAPI

from portico.http.routing import route_table
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from tests.access_matrix.scene import Scene
from tests.integration.ground import (
    API,
    SCALE,
    TRACE_OF_CODE,
    TRACES,
    Answered,
    Population,
    assert_problem,
    nothing_written,
)
from tests.integration.wire import JSON, Answer, ask

pytestmark = pytest.mark.anyio

PEOPLE = f"{API}/admin/users"
ME = f"{API}/users/me"
HEADERS = (
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded",
    "X-Real-IP", "X_Forwarded_For", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Via", "Connection",
    "Cookie", "Idempotency-Key", "If-Match", "If-None-Match", "If-Modified-Since", "Accept", "Accept-Language",
    "Accept-Encoding", "Accept-Charset", "User-Agent", "Origin", "Referer", "X-Request-ID", "X-Correlation-ID", "Range",
    "Transfer-Encoding", "TE", "Upgrade", "Expect", "Sec-Fetch-Site", "X-CSRF-Token", "Content-Type", "DPoP", "Prefer",
)  # fmt: skip
GARBAGE: tuple[str | bytes, ...] = (
    "", " ", "\t", ",", ";", "=", '"', "*", "0", "-1", "null", "undefined", "a,b", "../../etc/passwd", "%00", "%ff%fe",
    "127.0.0.1", "::1", "[::", "for=127.0.0.1;host=evil.example;proto=https", "evil.example", "https://evil.example",
    "' OR '1'='1", "{{7*7}}", "${jndi:ldap://evil.example}", "<script>", b"\x80\xff", "\u00e9", "\u202e", 'W/"', '"a',
    '"1"', "portico_session=; portico_refresh=", "authorization", "close, authorization", "a" * 4_000, "Bearer x",
    "chunked", "same-origin", "GET", "bytes=-1", "\U0001f600",
)  # fmt: skip
MALFORMED_HOSTS: tuple[str | bytes | None, ...] = (
    None, "", " ", "localhost:8000/", "localhost:8000/../", "localhost:8000?x", "localhost:8000#x", "u@localhost:8000",
    "localhost:8000@evil.example", "localhost:8000:80", "localhost:", "localhost:a", "localhost:999999",
    "localhost:8000 evil.example", "localhost:8000,evil.example", "localhost\\", "local\x00host", "[::1", "[evil]",
    b"\xff\xfe", "a" * 300, "%6c%6f", "localhost:8000\u3002", ".", "..", "-", "http://localhost:8000",
)  # fmt: skip
FOREIGN_HOSTS = (
    "evil.example",
    "localhost",
    "localhost:80",
    "localhost:8001",
    "localhost.evil.example:8000",
    "127.0.0.1:1",
)
AUTHORIZATIONS: tuple[str | bytes, ...] = (
    "", "Bearer", "Bearer ", "bearer", "Bearer  ", "Bearer a b", "Bearer a,b", "Bearer a, Bearer b", "Bearer\ta",
    "Basic", "Basic !!!", "Basic YTpi", "Basic YWRhQGV4YW1wbGUub3JnOng=", "Digest x", "DPoP x", "Negotiate x",
    "Token x", "Bearer %00", "Bearer %", "Bearer \u00e9", b"Bearer \xff\xfe", "Bearer null", "Bearer undefined",
    "Bearer {}", "Bearer " + "a." * 3, "Bearer " + "=" * 20, "Bearer ..", "Bearer a..b", "Bearer -", "Bearer prt_x",
    "Bearer ptr_x", "Bearer=abc", "\u200bBearer x", "Bearer\u00a0x", "BearerX y", "Bearer x\x7f",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
)  # fmt: skip
ODD_VERBS = (
    "TRACE",
    "TRACK",
    "CONNECT",
    "PROPFIND",
    "DEBUG",
    "get",
    "GeT",
    "__class__",
    "GET ",
    "",
    "M-SEARCH",
    "\u0130NDEX",
)
ODD_PATHS = (
    "//{0}", "/./{0}", "/{0}/", "/{0}//", "/{0}/.", "/{0}/..", "/x/../{0}", "/{0};a=b", "/{0};", "/{0}%2f",
    "/{0}%20", "/{0}%00", "/{0}.json", "/{0}/x.css", "/%2e/{0}", "/%2e%2e/{0}", "/{0}%3f", "/{0}%23", "\\{0}", "/{0}\\",
    "/%252f{0}", "/{0}\u3002", "/{0}%c0%af", "/{0}%ff", "/{0}%0a", "/{0}%09", "/..;/{0}", "/http://localhost:8000/{0}",
    "*", "",
)  # fmt: skip
NUMBERS = (
    "-1",
    "0",
    "1.5",
    "1e400",
    "NaN",
    "-Infinity",
    str(2**63),
    str(2**64),
    "9" * 400,
    "0x10",
    "\u0663",
    "",
    " ",
    "a",
    "1,2",
)
INJECTIONS = (
    "id; DROP TABLE portico_users", "1=1--", "created_at,(select 1)", "email' or '1'='1", "__class__", "password_hash",
    "%", "user.password_hash", "\u202e", "(a+)+$", "a" * 250, "null", "[]", "{}",
)  # fmt: skip


def faults(answer: Answered, told: str, *statuses: int) -> Iterator[str]:
    """Yield what is wrong with an answer that must be a refusal, told as a problem."""
    try:
        assert_problem(answer, *statuses)
    except AssertionError as error:
        yield f"{told}: {str(error)[:200]}"


def sample[T](cases: Iterable[T]) -> list[T]:
    """Return every fifth case in the quick run, all of them at a larger scale."""
    return list(cases)[:: 1 if SCALE > 1 else 5]


def unbroken(answer: Answer, told: str) -> Iterator[str]:
    """Yield what is wrong with an answer that may be anything but a failure."""
    if answer.status_code >= 500:
        yield f"{told}: {answer.status_code}: {answer.text[:120]}"


@pytest.mark.bar(
    "CVE-2024-47070",
    "CVE-2026-33495",
    "GHSA-w9mr-28mw-j8hg",
    "CHECK-13",
    "CHECK-24",
    "ASVS-4.1.3",
    "CVE-2025-64484",
)
async def test_garbage_in_a_header_opens_and_breaks_nothing(
    app: FastAPI, runtime: Runtime, population: Population
) -> None:
    wrong: list[str] = []
    async with nothing_written(runtime, but=TRACES):
        for name, value in sample(product(HEADERS, GARBAGE)):
            told = f"{name}: {value!r}"
            anonymous = await ask(app, "GET", PEOPLE, headers={name: value})
            wrong += faults(anonymous, f"anonymous, {told}", 400, 401, 403, 431)
            ordinary = await ask(app, "GET", PEOPLE, headers={**population.ada.bearer, name: value})
            wrong += faults(ordinary, f"without the right, {told}", 400, 401, 403, 431)
            wrong += unbroken(await ask(app, "GET", ME, headers={**population.ada.bearer, name: value}), told)
            refused = await ask(
                app,
                "POST",
                f"{API}/auth/refresh",
                headers={**JSON, name: value},
                body=b'{"refresh_token": "x"}',
            )
            wrong += faults(refused, f"refresh, {told}")
        assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CVE-2024-47070", "CHECK-13")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_garbage_about_the_way_lets_no_wrong_password_in(app: FastAPI, population: Population) -> None:
    wrong: list[str] = []
    body = b'{"identifier": "ada@example.org", "password": "not it at all"}'
    for name, value in product(
        ("X-Forwarded-For", "Forwarded", "X-Real-IP", "User-Agent", "Cookie"), GARBAGE[::4]
    ):
        answer = await ask(app, "POST", f"{API}/auth/login", headers={**JSON, name: value}, body=body)
        wrong += faults(answer, f"{name}: {value!r}", 400, 401, 429)

    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CVE-2026-48710", "CHECK-13", "CVE-2025-67494")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_host_that_is_not_ours_gets_nothing(
    app: FastAPI, runtime: Runtime, population: Population
) -> None:
    wrong: list[str] = []
    async with nothing_written(runtime):
        for host in (*MALFORMED_HOSTS, *FOREIGN_HOSTS):
            answer = await ask(app, "GET", ME, headers=population.ada.bearer, host=host)
            wrong += faults(answer, f"{host!r}", 400)
        for host in MALFORMED_HOSTS:
            wrong += faults(await ask(app, "GET", "/login", host=host), f"page, {host!r}", 400)
        assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CVE-2026-73418", "CVE-2026-0707", "ASVS-7.2.1")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_garbage_in_authorization_is_nobody(
    app: FastAPI, runtime: Runtime, population: Population
) -> None:
    wrong: list[str] = []
    async with nothing_written(runtime):
        for value in AUTHORIZATIONS:
            answer = await ask(app, "GET", ME, headers={"Authorization": value})
            wrong += faults(answer, repr(value), 401)
            if "www-authenticate" not in answer.headers:
                wrong.append(f"{value!r}: no challenge")
            # A credential that is no good is not replaced by one that is.
            both = {"Authorization": value, "Cookie": f"portico_session={population.ada.cookie}"}
            wrong += unbroken(await ask(app, "GET", ME, headers=both), f"with cookie, {value!r}")
        assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("CVE-2026-33494", "GHSA-x732-6j76-qmhm", "ASVS-1.1.1", "ASVS-14.2.5", "CVE-2025-54576")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_no_spelling_of_a_path_leads_around_its_guard(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    closed = {row.path for row in route_table(app) if row.access != ("public",) and row.method == "GET"}
    wrong: list[str] = []
    async with nothing_written(runtime):
        for route, odd in product(sorted(closed), ODD_PATHS):
            plain = scene.path(route)
            target = odd.format(plain.removeprefix("/"))
            answer = await ask(app, "GET", target)
            if answer.status_code < 400:
                wrong.append(f"anonymous {target}: {answer.status_code}")
            wrong += unbroken(answer, target)
            known = await ask(app, "GET", target, headers=scene.credential("superuser"))
            if known.status_code < 400:
                wrong.append(f"administrator {target}: {known.status_code}, a second name for {plain}")
        assert not wrong, "\n".join(["", *wrong])


def methods_at(path: str, routes: Mapping[str, set[str]]) -> set[str]:
    """Return the methods of all routes that a path leads to: `/users/me` is a `/users/{user_id}` too."""
    return {
        method
        for route, methods in routes.items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{\w+:path\}", ".*", route)), path)
        for method in methods
    }


@pytest.mark.bar("ASVS-4.1.4", "ASVS-13.4.4", "CVE-2026-48817")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_verb_that_a_route_has_not_does_nothing(app: FastAPI, runtime: Runtime, scene: Scene) -> None:
    paths: dict[str, set[str]] = {}
    for row in route_table(app):
        paths.setdefault(row.path, set()).add(row.method)
    wrong: list[str] = []
    async with nothing_written(runtime):
        for path in paths:
            others = {"PUT", "PATCH", "DELETE", "POST", "OPTIONS"} - methods_at(scene.path(path), paths)
            for method in (*ODD_VERBS, *sorted(others)):
                answer = await ask(app, method, scene.path(path), headers=scene.credential("superuser"))
                wrong += faults(answer, f"{method} {path}", 405)
                if "allow" not in answer.headers:
                    wrong.append(f"{method} {path}: does not say what is allowed")
        assert not wrong, "\n".join(["", *wrong])


@pytest.mark.bar("ASVS-1.4.2", "ASVS-1.2.4", "CVE-2022-24124", "CHECK-19", "ASVS-1.2.9", "T6", "ASVS-15.3.7")
async def test_query_parameters_are_read_strictly(
    app: FastAPI, runtime: Runtime, population: Population
) -> None:
    lists = {path: names for path, names in query_parameters(app).items() if "{" not in path}
    wrong: list[str] = []
    async with nothing_written(runtime):
        for path, names in lists.items():
            for name, kind in names.items():
                for value in (*NUMBERS, *INJECTIONS) if kind == "integer" else INJECTIONS:
                    target = f"{path}?{name}={quoted(value)}"
                    answer = await ask(app, "GET", target, headers=population.grace.bearer)
                    wrong += refusal_faults(app, path, answer, target)
                    wrong += unbroken(answer, target)
                    if kind == "integer" and answer.status_code < 400 and value not in {"0", "\u0663"}:
                        wrong.append(f"{target}: {answer.status_code}")
            for query in (
                "unknown=1",
                "page[]=1",
                "filter[role]=x",
                "page=1&page=2",
                "&" * 900,
                "=",
                "%",
                "%zz",
                "q=%00",
                "q=%ff",
            ):
                answer = await ask(app, "GET", f"{path}?{query}", headers=population.grace.bearer)
                wrong += unbroken(answer, f"{path}?{query[:20]}")
                wrong += refusal_faults(app, path, answer, f"{path}?{query[:20]}")

    assert lists
    assert not wrong, "\n".join(["", *wrong])


def refusal_faults(app: FastAPI, path: str, answer: Answer, told: str) -> list[str]:
    """Return what is wrong with a refusal: a problem, or a page where the document says that there is one."""
    if answer.status_code < 400:
        return []
    described = app.openapi()["paths"][path]["get"]["responses"].get("400", {}).get("content", {})
    if "text/html" not in described or not answer.headers["content-type"].startswith("text/html"):
        return list(faults(answer, told))
    is_plain = answer.status_code == 400 and TRACE_OF_CODE.search(answer.text) is None
    is_kept = "no-store" not in answer.headers.get("cache-control", "")
    return [] if is_plain and not is_kept else [f"{told}: {answer.status_code}: {answer.text[:120]}"]


def quoted(value: str) -> str:
    return "".join(f"%{byte:02x}" for byte in value.encode())


def query_parameters(app: FastAPI) -> dict[str, dict[str, str]]:
    """Return the query parameters of each GET route that the document describes, with their kind."""
    found: dict[str, dict[str, str]] = {}
    for path, operations in app.openapi()["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                found.setdefault(path, {})[parameter["name"]] = parameter["schema"].get("type", "")
    return found


@pytest.mark.bar("CVE-2026-33503", "CHECK-19", "ASVS-1.2.4")
async def test_a_cursor_is_good_for_its_own_list_only(
    app: FastAPI, runtime: Runtime, population: Population
) -> None:
    first = await ask(app, "GET", f"{PEOPLE}?page_size=1", headers=population.grace.bearer)
    cursor: str = first.json()["pagination"]["next_cursor"]
    trail = await ask(app, "GET", f"{API}/admin/audit?page_size=1", headers=population.grace.bearer)
    flipped = [
        cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        for at in range(0, len(cursor), 7)
    ]
    bad = [
        cursor[:-1],
        cursor[1:],
        cursor + "A",
        cursor + "==",
        "A" * 40,
        "..",
        trail.json()["pagination"]["next_cursor"],
    ]
    wrong: list[str] = []
    async with nothing_written(runtime):
        for each in (*bad, *flipped):
            answer = await ask(
                app, "GET", f"{PEOPLE}?page_size=1&cursor={each}", headers=population.grace.bearer
            )
            wrong += faults(answer, each, 400)
        for query in ("sort_order=asc&", "q=a&", "sort_by=email&"):
            target = f"{PEOPLE}?page_size=1&{query}cursor={cursor}"
            wrong += faults(await ask(app, "GET", target, headers=population.grace.bearer), query, 400)

    good = await ask(app, "GET", f"{PEOPLE}?page_size=1&cursor={cursor}", headers=population.grace.bearer)
    assert not wrong, "\n".join(["", *wrong])
    assert good.status_code == 200


ADDRESSES = (
    '"a@b"@c', '"ada"@example.com', "ada@example.com, eve@evil.example", "ada@example.com;eve@evil.example",
    "ada@example.com eve@evil.example", "Ada <ada@example.com>", "ada@example.com\r\nBcc: eve@evil.example",
    "ada@example.com\n", "ada@example.com@evil.example", "@example.com", "ada@", "ada", "ada@[127.0.0.1]",
    "ada@exa mple.com", "ada\x00@example.com", "ada@example.com%0aBcc:eve@evil.example", "\u0430da@example.com",
    "ada@ex\u200bample.com", "\uff41da@example.com", "ada\u202e@example.com", "a" * 65 + "@example.com",
    "ada@" + "a" * 250 + ".com", "ada@example..com", "ada(comment)@example.com", "ada@@example.com",
    "mailto:ada@example.com",
)  # fmt: skip
USERNAMES = (
    "admin", "root", "support", "\u0430da.person", "ada.pers\u043en", "\uff41da.person", "ada..person", "ada person",
    "ada@person", "ada.person\u200b", "ADA.PERSON", "a", "a" * 65, "ada\x00", "\u202eada", "ad\u0430", "..", "-", "me",

)  # fmt: skip


@pytest.mark.bar("CVE-2022-35924", "GHSA-5jpx-9hw9-2fx4", "CVE-2026-40574", "ASVS-1.3.11", "CVE-2021-3424")
async def test_odd_addresses_and_look_alikes_are_refused_by_every_door(
    app: FastAPI, runtime: Runtime, population: Population, mails: CapturedMails
) -> None:
    password, wrong = "paper clip orange thunder", list[str]()
    doors = {
        "/auth/register": {"password": password},
        "/auth/password/forgot": {},
        "/auth/email/resend": {},
        "/auth/email/change": {"password": "an engine of figures"},
        "/admin/users": {},
    }
    async with nothing_written(runtime, but=TRACES):
        for (path, more), address in product(doors.items(), ADDRESSES):
            answer = await _post(app, population, path, {**more, "email": address})
            wrong += faults(answer, f"{path}: {address!r}", 422)
        for name in USERNAMES:
            wish = {"email": "eve@example.net", "password": password, "username": name}
            wrong += faults(await _post(app, population, "/auth/register", wish), repr(name), 409, 422)
            made = await _post(
                app, population, "/admin/users", {"email": "eve@example.net", "username": name}
            )
            wrong += faults(made, f"by an administrator, {name!r}", 409, 422)
        assert not wrong, "\n".join(["", *wrong])

    assert len(mails) == 0


async def _post(app: FastAPI, population: Population, path: str, body: dict[str, str]) -> Answer:
    return await ask(
        app, "POST", API + path, headers={**JSON, **population.grace.bearer}, body=json.dumps(body).encode()
    )


@pytest.mark.bar("ASVS-1.4.2", "ASVS-2.2.1")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_moment_is_written_out(app: FastAPI, population: Population) -> None:
    answers = {}
    for text in (
        "0",
        "1e9",
        "1700000000",
        "2026-01-05",
        "2026-01-05T12:00:00",
        "12:00",
        "99999-01-01T00:00Z",
    ):
        answer = await ask(app, "GET", f"{API}/admin/audit?since={text}", headers=population.grace.bearer)
        answers[text] = answer.status_code
    good = await ask(
        app, "GET", f"{API}/admin/audit?since=2026-01-05T12:00:00%2B01:00", headers=population.grace.bearer
    )

    assert set(answers.values()) == {422}, answers
    assert good.status_code == 200
