"""People for tests: signed up and signed in by the API, in one line.

    ada = await people.sign_up("ada@example.com")
    answer = await client.get("/api/v1/users/me", headers=ada.headers)

Whoever tests sign-up itself does it by hand.
"""

from dataclasses import dataclass
from uuid import UUID

import httpx2

from portico.credentials.services import create_administrator
from portico.runtime import Runtime

PASSWORD = "correct horse battery staple 7"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    id: UUID
    email: str
    password: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """Return what a request of his carries."""
        return {"Authorization": f"Bearer {self.access_token}"}


class People:
    """Makes people in the application under test."""

    def __init__(self, runtime: Runtime, client: httpx2.AsyncClient) -> None:
        self._runtime = runtime
        self._client = client

    async def sign_up(self, email: str = "ada@example.com", *, superuser: bool = False) -> Person:
        """Make an account, an administrator's with `superuser`, and sign it in."""
        if superuser:
            await create_administrator(self._runtime, email=email, password=PASSWORD)
        else:
            wish = {"email": email, "password": PASSWORD}
            (await self._client.post("/api/v1/auth/register", json=wish)).raise_for_status()
        return await self.sign_in(email)

    async def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> Person:
        """Sign somebody in on one more device."""
        proof = {"identifier": email, "password": password}
        answer = (await self._client.post("/api/v1/auth/login", json=proof)).raise_for_status().json()
        user_id = UUID(answer["user"]["id"])
        return Person(user_id, email, password, answer["access_token"], answer["refresh_token"])
