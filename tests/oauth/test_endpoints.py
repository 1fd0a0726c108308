"""What all endpoints of the protocol have in common."""

import pytest
from fastapi import FastAPI

from portico.http.markers import LimitClass
from portico.http.routing import RouteEntry, build_route_table
from tests.oauth.kit import House

pytestmark = pytest.mark.anyio
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def open_routes(app: FastAPI) -> list[RouteEntry]:
    return [entry for entry in build_route_table(app).entries if entry.is_open_to_clients]


async def test_no_answer_with_a_credential_is_kept(open_routes: list[RouteEntry]) -> None:
    """An `Idempotency-Key` must not give anybody an answer before he is recognised."""
    writing = [entry for entry in open_routes if entry.methods - SAFE]

    assert writing
    assert [entry.path for entry in writing if entry.keeps_answers] == []


async def test_what_takes_a_body_bounds_it(open_routes: list[RouteEntry]) -> None:
    writing = [entry for entry in open_routes if entry.methods - SAFE]

    assert [entry.path for entry in writing if entry.max_body_bytes is None] == []
    assert [entry.path for entry in writing if entry.limit_class is LimitClass.NONE] == []


@pytest.mark.bar("A4-4.5")
async def test_pages_of_every_origin_may_ask(house: House, open_routes: list[RouteEntry]) -> None:
    """Browser apps call them (row 4.5); none of them looks at a cookie."""
    for entry in open_routes:
        if not entry.is_readable_by_all:
            continue
        method = min(entry.methods - {"HEAD"})
        path = entry.path.replace("{client_id}", "x").replace("{path:path}", "x")
        headers = {"Origin": "https://spa.example", "Access-Control-Request-Method": method}
        answer = await house.http.options(path, headers=headers)

        assert answer.status_code == 204, entry.path
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.bar("A4-4.5")
async def test_a_browser_app_can_read_all_that_discovery_leads_it_to(house: House) -> None:
    """It verifies its ID tokens itself, so it needs the keys, too; a second origin in the header would be none."""
    page = {"Origin": "https://spa.example"}
    described = await house.http.get("/.well-known/openid-configuration", headers=page)
    keys = await house.http.get(described.json()["jwks_uri"], headers=page)

    assert described.headers.get_list("access-control-allow-origin") == ["*"]
    assert keys.headers.get_list("access-control-allow-origin") == ["*"]
    assert keys.json()["keys"]


@pytest.mark.bar("A21-21.1")
async def test_the_authorization_endpoint_is_for_nobodys_scripts(house: House) -> None:
    """No CORS there (RFC 9700, section 2.6)."""
    for method in ("GET", "POST"):
        headers = {"Origin": "https://spa.example", "Access-Control-Request-Method": method}
        assert (await house.http.options("/oauth/authorize", headers=headers)).status_code == 403
    answer = await house.http.get("/oauth/authorize", headers={"Origin": "https://spa.example"})
    assert "access-control-allow-origin" not in answer.headers
