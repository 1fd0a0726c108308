"""What was granted for as long as somebody is signed in is over when his session is (OIDC Core 1.0, section 11).

The clock goes on from one test to the next, so each has a person of its own.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.oauth.jobs import sweep
from portico.oauth.models import OAuthGrant
from portico.oauth.types import GrantEnd
from portico.sessions.models import Session
from portico.testing.jobs import do_job
from tests.oauth.keyed import refused
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.presenting import told

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A25-25.8", "R8")]

WHOLE = timedelta(days=14)
"""How old a session of the pages gets."""
RESTED = timedelta(days=2)
"""Longer than one may rest between two pages."""
A_LITTLE = timedelta(minutes=5)
MCP = "https://api.example.com/mcp"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture(params=["in one trip", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Say which way tokens are given out, and see to it that it is taken."""
    if request.param == "step by step":
        monkeypatch.setitem(failpoints.armed, "tokens.rotate.before_write", failpoints.delaying(0))
    return str(request.param)


async def connected(house: House, name: str, **asked: Any) -> tuple[TestClient, dict[str, Any]]:
    """Sign somebody in, and in to an application."""
    await house.person(name)
    client = await house.public_client()
    return client, await house.tokens(client, name, **asked)


async def until_then(
    house: House, client: TestClient, tokens: dict[str, Any], time: timedelta, *, step: timedelta = RESTED
) -> dict[str, Any]:
    """Let time pass, and refresh now and then as an application that is used does."""
    while time > step:
        house.clock.advance(step)
        time -= step
        answer = await house.refreshed(client, tokens["refresh_token"])
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
    house.clock.advance(time)
    return tokens


async def grant_of(house: House, tokens: dict[str, Any]) -> OAuthGrant:
    async with house.runtime.reads() as session:
        found = await session.get(OAuthGrant, UUID(claims_of(tokens["access_token"])["grant_id"]))
    assert found is not None
    return found


async def reasons_on_the_trail(house: House, grant: OAuthGrant) -> list[str | None]:
    query = select(AuditEntry.reason).where(
        AuditEntry.action == "oauth.grant.ended", AuditEntry.subject_id == grant.id
    )
    async with house.runtime.reads() as session:
        return list((await session.scalars(query)).all())


async def test_a_refresh_after_the_session_ends_the_grant(house: House, way: str) -> None:
    client, tokens = await connected(house, f"over-{way.replace(' ', '-')}", scope="openid")

    tokens = await until_then(house, client, tokens, WHOLE - A_LITTLE)
    last = await house.refreshed(client, tokens["refresh_token"])
    house.clock.advance(A_LITTLE)
    late = await house.refreshed(client, last.json()["refresh_token"])
    again = await house.refreshed(client, last.json()["refresh_token"])

    assert last.status_code == 200, last.text
    assert last.json()["expires_in"] == A_LITTLE.total_seconds()
    assert (await told(house, last.json()["access_token"])).status_code == 401
    refused(late, "invalid_grant")
    refused(again, "invalid_grant")
    grant = await grant_of(house, tokens)
    assert grant.ended_reason is GrantEnd.SESSION_EXPIRED
    assert await reasons_on_the_trail(house, grant) == ["session_expired"]


@pytest.mark.parametrize("scope", ["openid offline_access", "tools:read"], ids=["offline", "no-openid"])
async def test_what_was_granted_for_longer_or_without_openid_lives_on(house: House, scope: str) -> None:
    """MCP clients know no `offline_access`, and expect a refresh token all the same."""
    asked = {"prompt": "consent"} if "offline" in scope else {"resource": MCP}
    client, tokens = await connected(house, f"on-{len(scope)}", scope=scope, **asked)

    tokens = await until_then(house, client, tokens, WHOLE + RESTED)
    await do_job(house.runtime, sweep)

    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200
    assert (await grant_of(house, tokens)).expires_at is None


async def test_a_session_that_only_rests_ends_nothing(house: House, way: str) -> None:
    """Whoever works in the application all day sees none of our pages."""
    client, tokens = await connected(house, f"rests-{way.replace(' ', '-')}", scope="openid")

    tokens = await until_then(house, client, tokens, 2 * RESTED)

    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


async def test_the_sweep_ends_what_nobody_asked_for_again(house: House) -> None:
    client, tokens = await connected(house, "swept", scope="openid")
    grant = await grant_of(house, tokens)

    house.clock.advance(WHOLE - A_LITTLE)
    await do_job(house.runtime, sweep)
    before = (await grant_of(house, tokens)).ended_reason
    house.clock.advance(A_LITTLE)
    await do_job(house.runtime, sweep)

    assert before is None
    assert (await grant_of(house, tokens)).ended_reason is GrantEnd.SESSION_EXPIRED
    assert await reasons_on_the_trail(house, grant) == ["session_expired"]
    refused(await house.refreshed(client, tokens["refresh_token"]), "invalid_grant")


async def test_a_session_whose_row_is_gone_is_no_longer_than_it_was(house: House, way: str) -> None:
    """How long is noted with the grant; nobody looks at the session again."""
    client, tokens = await connected(house, f"gone-{way.replace(' ', '-')}", scope="openid")
    grant = await grant_of(house, tokens)
    async with house.runtime.unit() as unit:
        await unit.session.execute(delete(Session).where(Session.id == grant.session_id))

    tokens = await until_then(house, client, tokens, WHOLE)

    refused(await house.refreshed(client, tokens["refresh_token"]), "invalid_grant")
    assert await reasons_on_the_trail(house, grant) == ["session_expired"]
