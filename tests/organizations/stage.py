"""What tests of invitations and domains do in one line: an organization, its owner, guests, mails and the clock."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.core.ids import UserId
from portico.organizations.models import Membership
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.credentials.acts import count
from tests.organizations.conftest import Caller
from tests.sessions.people import add_person, sign_in

on_one_database = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what is decided before the database, or by statements that others here run on both."""

API = "/api/v1"
BOB = "bob@example.org"


@dataclass(slots=True)
class Stage:
    """Ada owns Acme; Bob has an account with a proven address and belongs to nothing."""

    runtime: Runtime
    client: httpx2.AsyncClient
    organizations: TestOrganizations
    mails: CapturedMails
    clock: FrozenClock
    acme: TestOrganization
    ada: Caller
    bob: Caller

    @property
    def invitations(self) -> str:
        """Return where the API has Acme's invitations."""
        return f"/organizations/{self.acme.id}/invitations"

    @property
    def domains(self) -> str:
        """Return where the API has Acme's domains."""
        return f"/organizations/{self.acme.id}/domains"

    async def invite(self, email: str = BOB, *, by: Caller | None = None, **more: Any) -> dict[str, Any]:
        """Invite somebody and return the answer."""
        body = {"email": email, **more}
        made: dict[str, Any] = await (by or self.ada).ask("POST", self.invitations, 201, json=body)
        return made

    def token(self, to: str = BOB) -> str:
        """Return the secret of the newest invitation to an address."""
        links = [link for mail in self.mails.to(to) for link in mail.links if "/invitations?token=" in link]
        return links[-1].partition("token=")[2]

    async def accept(self, token: str, *, by: Caller | None = None) -> httpx2.Response:
        """Accept by the secret of a mail."""
        who = by or self.bob
        return await who.signed_in.request("POST", "/invitations/accept", json={"token": token})

    async def enter(self, name: str, *, verified: bool = True) -> Caller:
        """Make one more person who is signed in."""
        address = f"{name}@example.org"
        account = await add_person(self.runtime, address, username=f"{name}.tests", verified=verified)
        return Caller(account.id, address, await sign_in(self.client, address))

    async def pass_time(self, time: timedelta) -> None:
        """Let time go by; Ada and Bob sign in again."""
        self.clock.advance(time)
        for who in (self.ada, self.bob):
            who.signed_in = await sign_in(self.client, who.address)

    async def members(self) -> int:
        """Return how many memberships there are anywhere."""
        return await count(self.runtime, Membership)

    async def roles_of(self, user_id: UserId) -> list[str] | None:
        """Return what somebody is in Acme, or None if he does not belong to it."""
        answer = await self.ada.signed_in.request("GET", f"/organizations/{self.acme.id}/members/{user_id}")
        return answer.json()["roles"] if answer.status_code == 200 else None


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]
