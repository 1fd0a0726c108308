"""CHECK-4: each kind of token at each place that takes one; only the diagonal passes.

Every secret that the server hands out is made, and each is presented wherever a secret is consumed. A cell passes when
the answer is a success; all but the token's own place must refuse, and change nothing.
"""

from collections.abc import Awaitable, Callable, Mapping

import httpx2
import pytest

from portico.core.crypto import b64encode
from portico.credentials.services import RegistrationTokens
from portico.http.csrf import token_for
from portico.http.pagination import Cursors
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from portico.users.types import Account
from tests.sessions.people import (
    ADDRESS,
    API,
    PAGE_COOKIE,
    REFRESH_COOKIE,
    add_person,
    log_in,
    sign_in_by_page,
)
from tests.sessions.test_access_tokens import claims_of

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "a calculus of the nervous system"

type Present = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]


async def as_bearer(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})


async def as_page_cookie(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.get(f"{API}/users/me", headers={"Cookie": f"{PAGE_COOKIE}={token}"})


async def as_refresh_token(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{API}/auth/refresh", json={"refresh_token": token})


async def as_refresh_cookie(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{API}/auth/refresh", headers={"Cookie": f"{REFRESH_COOKIE}={token}"})


async def as_logout_token(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{API}/auth/logout", json={"refresh_token": token})


async def as_verification(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{API}/auth/email/verify", json={"token": token})


async def as_reset(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    body = {"token": token, "new_password": NEW_PASSWORD}
    return await client.post(f"{API}/auth/password/reset", json=body)


async def as_invitation(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    body = {"email": "invited@example.org", "password": NEW_PASSWORD, "invitation": token}
    return await client.post(f"{API}/auth/register", json=body)


async def as_setup(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    body = {"email": "first@example.org", "password": NEW_PASSWORD, "token": token}
    return await client.post(f"{API}/auth/setup", json=body)


PLACES: Mapping[str, tuple[Present, frozenset[str]]] = {
    "bearer": (as_bearer, frozenset({"access token"})),
    "page cookie": (as_page_cookie, frozenset({"page cookie"})),
    "setup": (as_setup, frozenset()),
    "invitation": (as_invitation, frozenset({"registration token"})),
    "verification": (as_verification, frozenset({"verification"})),
    "refresh token": (as_refresh_token, frozenset({"refresh token"})),
    "refresh cookie": (as_refresh_cookie, frozenset({"refresh token"})),
    "logout": (as_logout_token, frozenset({"refresh token"})),
    "reset": (as_reset, frozenset({"reset"})),
}
"""How a secret is presented, and which kinds are good there. What ends sessions comes last."""


async def every_secret(runtime: Runtime, client: httpx2.AsyncClient, mails: CapturedMails) -> dict[str, str]:
    """Return one live secret of each kind."""
    signed_in = await log_in(client)
    page_cookie = await sign_in_by_page(runtime)
    await add_person(runtime, "unproven@example.org", verified=False)
    await client.post(f"{API}/auth/email/resend", json={"email": "unproven@example.org"})
    await client.post(f"{API}/auth/password/forgot", json={"email": ADDRESS})
    registration = await RegistrationTokens(runtime, runtime.unit()).create_token()
    id_claims = {**claims_of(signed_in.json()["access_token"]), "nonce": "n"}
    keyring = runtime.get(Keyring)
    return {
        "access token": signed_in.json()["access_token"],
        "refresh token": signed_in.json()["refresh_token"],
        "page cookie": page_cookie,
        "device cookie": signed_in.cookies["portico_device"],
        "csrf token": token_for(runtime.secret, page_cookie),
        "verification": _secret_in(mails, "unproven@example.org"),
        "reset": _secret_in(mails, ADDRESS),
        "registration token": registration.secret,
        "cursor": Cursors.of(runtime).seal((1, 2), b"elsewhere"),
        "jwt of another type": keyring.sign(id_claims, purpose=KeyPurpose.ACCESS_TOKEN, typ="JWT"),
        "random": b64encode(runtime.entropy.bytes(32)),
    }


def _secret_in(mails: CapturedMails, address: str) -> str:
    [link] = [link for link in mails.last(to=address).links if "token=" in link]
    return link.partition("token=")[2]


@pytest.mark.bar("CHECK-4", "ASVS-9.2.2", "CVE-2023-48309", "CVE-2026-4325")
async def test_each_token_is_good_in_its_own_place_only(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails
) -> None:
    secrets = await every_secret(runtime, client, mails)
    assert len(set(secrets.values())) == len(secrets)
    passed: dict[str, set[str]] = {}

    # First every wrong cell, while all secrets are live; then the right ones, which spend theirs.
    for place, (present, own) in PLACES.items():
        for kind in secrets.keys() - own:
            client.cookies.clear()
            answer = await present(client, secrets[kind])
            assert 400 <= answer.status_code < 500, (place, kind, answer.status_code, answer.text)
    for place, (present, own) in PLACES.items():
        for kind in own & secrets.keys():
            client.cookies.clear()
            answer = await present(client, secrets[kind])
            if answer.status_code < 300:
                passed.setdefault(place, set()).add(kind)

    assert passed == {place: set(own) for place, (_, own) in PLACES.items() if own}
