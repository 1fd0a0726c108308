"""Makes people and signs them in, over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import ColumnElement, Table, select

from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.runtime import Runtime
from portico.sessions.services import SignIn
from portico.sessions.types import Transport
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from portico.users.types import Account
from portico.users.usernames import parse_username

ADDRESS = "ada@example.org"
PASSWORD = "an engine of figures"
FAST_HASHES = {"argon2_memory_kib": 8192, "argon2_passes": 1}
API = "/api/v1"
PAGE_COOKIE = "portico_session"
REFRESH_COOKIE = "portico_refresh"
DEVICE_COOKIE = "portico_device"


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """What a sign-in gave."""

    client: httpx2.AsyncClient
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        headers = {**self.headers, **kwargs.pop("headers", {})}
        return await self.client.request(method, API + path, headers=headers, **kwargs)

    async def who_am_i(self) -> httpx2.Response:
        return await self.request("GET", "/users/me")

    async def refresh(self) -> httpx2.Response:
        return await refresh(self.client, self.refresh_token)


async def add_person(
    runtime: Runtime,
    address: str,
    *,
    password: str = PASSWORD,
    username: str | None = None,
    verified: bool = True,
) -> Account:
    """Make an account with a password, as sign-up does."""
    password_hash = await runtime.get(Passwords).hash(password)
    unit = runtime.unit()
    async with unit:
        account = await Users(runtime, unit).create_user(
            NewUser(
                email=parse_address(address),
                email_verified=verified,
                username=parse_username(username) if username else None,
            )
        )
        unit.session.add(
            PasswordCredential(
                user_id=account.id, password_hash=password_hash, changed_at=runtime.clock.now()
            )
        )
    return account


async def log_in(
    client: httpx2.AsyncClient, identifier: str = ADDRESS, password: str = PASSWORD, **more: Any
) -> httpx2.Response:
    """Ask for tokens, as a client without a cookie jar."""
    client.cookies.clear()
    body = {"identifier": identifier, "password": password, **more}
    return await client.post(f"{API}/auth/login", json=body)


async def sign_in(
    client: httpx2.AsyncClient, identifier: str = ADDRESS, password: str = PASSWORD
) -> SignedInPerson:
    """Sign in by the API."""
    answer = await log_in(client, identifier, password)
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return SignedInPerson(client, answer.json()["access_token"], answer.json()["refresh_token"])


async def sign_in_by_page(runtime: Runtime, identifier: str = ADDRESS, password: str = PASSWORD) -> str:
    """Sign in as the page does; return the session cookie."""
    signed_in = await SignIn(runtime, runtime.unit()).sign_in(identifier, password, Transport.PAGE)
    assert signed_in.cookie is not None
    return signed_in.cookie


async def refresh(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    """Present a refresh token in the body."""
    return await client.post(f"{API}/auth/refresh", json={"refresh_token": token})


async def by_cookie(client: httpx2.AsyncClient, cookie: str, path: str = "/users/me") -> httpx2.Response:
    """Ask with a session cookie."""
    client.cookies.clear()
    return await client.get(API + path, headers={"Cookie": f"{PAGE_COOKIE}={cookie}"})


async def rows_of(runtime: Runtime, model: Any, *where: ColumnElement[bool]) -> Sequence[Any]:
    """Return the rows of a model as the database has them."""
    async with runtime.reads() as session:
        return (await session.scalars(select(model).where(*where))).all()


def table_of(model: Any) -> Table:
    """Return a model's table."""
    table: Table = model.__table__
    return table
