"""Ada, who owns an organization; Bob and Carol, who belong to it; Eve, who does not."""

from typing import Any

import httpx2
import pytest

from portico.core.ids import UserId
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.sessions.people import FAST_HASHES, SignedInPerson, add_person, sign_in


class Caller:
    """Somebody who is signed in, and asks the API."""

    def __init__(self, user_id: UserId, address: str, signed_in: SignedInPerson) -> None:
        self.id = user_id
        self.address = address
        self.signed_in = signed_in

    async def ask(self, method: str, path: str, expected: int | None = None, **kwargs: Any) -> Any:
        """Return the body of the answer; the status must be `expected` (by default a good one)."""
        answer = await self.signed_in.request(method, path, **kwargs)
        wanted = {expected} if expected else {200, 201, 204}
        assert answer.status_code in wanted, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def refused(self, method: str, path: str, status: int, **kwargs: Any) -> str:
        """Return the code of a refusal."""
        code: str = (await self.ask(method, path, status, **kwargs))["code"]
        return code


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES}


@pytest.fixture
def enter(runtime: Runtime, client: httpx2.AsyncClient) -> Any:
    """Make people who are signed in."""

    async def enter(name: str) -> Caller:
        address = f"{name}@example.org"
        account = await add_person(runtime, address, username=f"{name}.tests")
        return Caller(account.id, address, await sign_in(client, address))

    return enter


@pytest.fixture
async def ada(enter: Any) -> Caller:
    return await enter("ada")  # type: ignore[no-any-return]


@pytest.fixture
async def bob(enter: Any) -> Caller:
    return await enter("bob")  # type: ignore[no-any-return]


@pytest.fixture
async def eve(enter: Any) -> Caller:
    return await enter("eve")  # type: ignore[no-any-return]


@pytest.fixture
async def acme(organizations: TestOrganizations, ada: Caller) -> TestOrganization:
    """Ada's organization."""
    return await organizations.make(ada, "Acme", slug="acme-works")


@pytest.fixture
def stage(  # noqa: PLR0917 - all of them fixtures
    runtime: Runtime,
    client: httpx2.AsyncClient,
    organizations: TestOrganizations,
    clock: FrozenClock,
    mails: CapturedMails,
    acme: TestOrganization,
    ada: Caller,
    bob: Caller,
) -> Any:
    """All of it at once, for invitations and domains."""
    from tests.organizations.stage import Stage

    return Stage(runtime, client, organizations, mails, clock, acme, ada, bob)
