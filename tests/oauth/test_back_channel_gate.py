"""Logout tokens go through the gate: without leave they never lead inside."""

import pytest

from portico.messaging import Jobs
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.testing.jobs import run_due_jobs
from portico.testing.sinks import HttpSink
from tests.oauth.kit import House

pytestmark = pytest.mark.anyio


@pytest.mark.bar("CHECK-16", "A27-27.1")
async def test_it_never_leads_inside(house: House) -> None:
    async with HttpSink() as sink:
        await house.tokens(await house.client(backchannel_logout_uri=sink.url))

        sessions = Sessions(house.runtime, house.runtime.unit())
        await sessions.end_sessions_of(house.people["ada"].id, SessionEnd.REVOKED)
        await run_due_jobs(house.runtime)

    assert sink.connections == 0
    [view] = await house.runtime.get(Jobs).list_newest(name="oauth.tell_signed_out")
    assert "not public" in (view.last_error or "")
