"""CHECK-4: every kind of credential at every door; only the one that the door is for gets through.

Nothing else that the deployment gives out, no id and no other person's credential may open it, nor a good credential
that was cut, lengthened or altered. What was spent stays spent, whatever else is asked meanwhile.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from portico.api_keys.services import ApiKeys
from portico.api_keys.types import NewKey
from portico.core.ids import new_id
from portico.credentials.devices import device_cookie
from portico.credentials.services import RegistrationTokens
from portico.credentials.services.registration import NOBODY_YET
from portico.http.csrf import token_for
from portico.http.pagination import Cursors
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import IssuedToken, TokenPurpose
from tests.integration.ground import API, TRACES, Person, enter, nothing_written
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import FAST_HASHES, PAGE_COOKIE, REFRESH_COOKIE, add_person

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "paper clip orange thunder"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

type Door = Callable[[FastAPI, str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Scene:
    """Ada, whose credentials are tried, and everything that looks like a credential."""

    ada: Person
    bob: Person
    kinds: Mapping[str, str]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    # Every door is tried by every kind: none may be shut because it was tried too often.
    return {"credentials": FAST_HASHES, "users": {"code_tries": "100000/hour"}}


@pytest.fixture
async def scene(runtime: Runtime) -> Scene:
    # Nobody rules yet, so that the link of the first administrator is good.
    ada = await enter(runtime, await add_person(runtime, "ada@example.org", verified=False))
    bob = await enter(runtime, await add_person(runtime, "bob@example.org"))
    one_time = {
        "proof of an address": await _issued(runtime, TokenPurpose.VERIFY_EMAIL, ada),
        "recovery": await _issued(runtime, TokenPurpose.RESET_PASSWORD, ada),
        "first administrator": await _issued(runtime, TokenPurpose.FIRST_ADMINISTRATOR, None),
    }
    invitation = await RegistrationTokens(runtime, runtime.unit()).create_token()
    to_list_keys = NewKey(name="a key", scopes=["api_key:self:list"])
    key = await ApiKeys(runtime, runtime.unit()).create_for_person(ada.id, to_list_keys, actor=None)
    codes = {f"code of the {name}": each.code or "" for name, each in one_time.items() if each.code}
    kinds = {
        "access token": ada.access_token,
        "refresh token": ada.refresh_token,
        "session cookie": ada.cookie,
        "csrf token": token_for(runtime.secret, ada.cookie),
        "device cookie": device_cookie(runtime.secret, None, ada.id, new_id())[1],
        "invitation": invitation.secret,
        "API key": str(key.text),
        "id of the API key": str(key.id),
        "cursor": Cursors.of(runtime).seal((1, 2), b"a list"),
        "id token, of the same key": _signed(runtime, ada, typ="JWT"),
        "logout token, of the same key": _signed(runtime, ada, typ="logout+jwt"),
        "access token for another API": _signed(runtime, ada, aud="https://other.example"),
        "access token of another client": _signed(runtime, ada, client_id="other"),
        "access token for no session": _signed(runtime, ada, sid=str(new_id())),
        "id of the person": str(ada.id),
        "id of the session": ada.session_id,
        **{name: str(each.secret) for name, each in one_time.items()},
        **{f"id of the {name}": str(each.id) for name, each in one_time.items()},
        **codes,
    }
    return Scene(ada, bob, kinds)


async def _issued(runtime: Runtime, purpose: TokenPurpose, person: Person | None) -> IssuedToken:
    tokens = OneTimeTokens(runtime, runtime.unit())
    return await tokens.issue(
        purpose,
        person.id if person else NOBODY_YET,
        ttl=timedelta(minutes=10),
        address=person.account.email_normal_form if person else None,
        with_code=person is not None,
    )


def _signed(runtime: Runtime, person: Person, *, typ: str = "at+jwt", **more: str) -> str:
    now = int(runtime.clock.now().timestamp())
    issuer = runtime.settings.public_url
    claims = {
        "iss": issuer, "aud": f"{issuer}{API}", "sub": str(person.id), "sid": person.session_id, "iat": now,
        "client_id": "portico", "exp": now + 300, "jti": str(new_id()), "scope": "", "auth_time": now, **more,
    }  # fmt: skip
    return runtime.get(Keyring).sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ=typ)


def post(path: str, **body: str) -> Door:
    """Return a door that takes the credential where the body says `…`."""

    async def door(app: FastAPI, credential: str) -> Answer:
        filled = {name: credential if value == "…" else value for name, value in body.items()}
        return await ask(app, "POST", f"{API}{path}", headers=JSON, body=json.dumps(filled).encode())

    return door


def get(path: str, header: str, value: str = "{}") -> Door:
    """Return a door that takes the credential in a header."""

    async def door(app: FastAPI, credential: str) -> Answer:
        return await ask(app, "GET", path, headers={header: value.format(credential)})

    return door


def doors(ada: Person) -> dict[str, tuple[str, Door]]:
    """Return every place that takes a credential, by name, with the one kind that it is for."""

    async def forgery_check(app: FastAPI, credential: str) -> Answer:
        headers = {"Cookie": f"{PAGE_COOKIE}={ada.cookie}", "X-CSRF-Token": credential, **FORM}
        return await ask(app, "POST", "/account", headers=headers, body=b"full_name=Ada")

    async def refresh_cookie(app: FastAPI, credential: str) -> Answer:
        return await ask(
            app, "POST", f"{API}/auth/refresh", headers={"Cookie": f"{REFRESH_COOKIE}={credential}"}
        )

    address = ada.account.email
    return {
        "bearer": ("access token", get(f"{API}/users/me", "Authorization", "Bearer {}")),
        "cookie": ("session cookie", get(f"{API}/users/me", "Cookie", PAGE_COOKIE + "={}")),
        "key": ("API key", get(f"{API}/api-keys", "X-API-Key")),
        "form token": ("csrf token", forgery_check),
        "code for an address": ("code of the proof of an address", post("/auth/email/verify", email=address, code="…")),
        "refresh by cookie": ("refresh token", refresh_cookie),
        "recovery link": ("recovery", post("/auth/password/reset", token="…", new_password=NEW_PASSWORD)),
        "invitation": (
            "invitation", post("/auth/register", email="new@example.net", password=NEW_PASSWORD, invitation="…")
        ),
        "set-up": (
            "first administrator", post("/auth/setup", token="…", email="boss@example.net", password=NEW_PASSWORD)
        ),
    }  # fmt: skip


def more_doors(ada: Person) -> dict[str, tuple[str, Door]]:
    """Return the doors whose credential another door spends, too."""
    address = ada.account.email
    return {
        "refresh": ("refresh token", post("/auth/refresh", refresh_token="…")),
        "sign-out": ("refresh token", post("/auth/logout", refresh_token="…")),
        "proof link": ("proof of an address", post("/auth/email/verify", token="…")),
        "code for recovery": (
            "code of the recovery", post("/auth/password/reset", email=address, code="…", new_password=NEW_PASSWORD)
        ),
    }  # fmt: skip


@pytest.mark.bar(
    "CHECK-4", "ASVS-9.2.2", "CVE-2023-48309", "CVE-2026-4325", "CVE-2023-0264", "CVE-2026-33496", "R17"
)
async def test_only_the_right_kind_opens_a_door(app: FastAPI, runtime: Runtime, scene: Scene) -> None:
    every = {**more_doors(scene.ada), **doors(scene.ada)}
    opened: list[str] = []
    async with nothing_written(runtime, but={*TRACES, "portico_one_time_tokens"}):
        for name, (own, door) in every.items():
            for kind, credential in scene.kinds.items():
                if kind != own and (await door(app, credential)).status_code < 400:
                    opened.append(f"{name} by {kind}")
        for place in ("access_token", "token", "bearer", "authorization"):
            answer = await ask(app, "GET", f"{API}/users/me?{place}={scene.ada.access_token}")
            opened += [f"?{place}"] if answer.status_code < 400 else []
    assert not opened, opened


@pytest.mark.bar("CHECK-4", "CHECK-12", "CVE-2026-4325", "CVE-2026-37982", "CVE-2026-18963")
async def test_the_right_kind_opens_it_and_what_is_spent_stays_spent(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    for name, (own, door) in doors(scene.ada).items():
        answer = await door(app, scene.kinds[own])
        assert answer.status_code < 400, f"{name}: {answer.text}"
    spent = ("recovery", "invitation", "first administrator", "proof of an address")
    every = {**more_doors(scene.ada), **doors(scene.ada)}

    reopened = []
    for kind in spent:
        for _, door in every.values():
            await door(app, scene.kinds[kind])
        reopened += [
            f"{name} by {kind}"
            for name, (own, door) in every.items()
            if own == kind and (await door(app, scene.kinds[kind])).status_code < 400
        ]

    assert not reopened, reopened


@pytest.mark.bar("CVE-2026-27840", "ASVS-9.1.1", "CHECK-4", "CHECK-5")
async def test_no_credential_is_good_cut_lengthened_or_altered(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    every = {**more_doors(scene.ada), **doors(scene.ada)}
    accepted: list[str] = []
    async with nothing_written(runtime, but={*TRACES, "portico_one_time_tokens"}):
        for name, (own, door) in every.items():
            for told, altered in altered_forms(scene.kinds[own]):
                if (await door(app, altered)).status_code < 400:
                    accepted.append(f"{name}: {own} {told}")
    assert not accepted, accepted


def altered_forms(credential: str) -> Iterator[tuple[str, str]]:
    """Yield texts that are nearly the credential; spaces and dashes in codes are what people type."""
    for length in range(1, 5):
        yield f"cut by {length}", credential[:-length]
        yield f"without the first {length}", credential[length:]
    for more in ("A", "=", ".", "a" * 20, ".." + credential, "%00", "\u200b"):
        yield f"with {more[:3]!r} at its end", credential + more
    yield "twice", credential + credential
    if credential.isdigit():
        yield "altered", f"{(int(credential) + 1) % 10 ** len(credential):0{len(credential)}}"
        return
    yield "in other letters", credential.swapcase()
    for at in range(0, len(credential), max(1, len(credential) // 12)):
        other = "B" if credential[at] != "B" else "C"
        yield f"altered at {at}", credential[:at] + other + credential[at + 1 :]
    last = credential[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for other in alphabet[::7]:
        if other != last:
            yield f"ending in {other}", credential[:-1] + other


@pytest.mark.bar("CHECK-2", "CHECK-4", "CVE-2023-0264")
async def test_a_token_of_ones_own_says_nothing_about_others(
    app: FastAPI, runtime: Runtime, scene: Scene
) -> None:
    bobs = await _issued(runtime, TokenPurpose.RESET_PASSWORD, scene.bob)
    code = {"email": scene.ada.account.email, "code": bobs.code or "", "new_password": NEW_PASSWORD}
    csrf = {
        "Cookie": f"{PAGE_COOKIE}={scene.ada.cookie}",
        "X-CSRF-Token": token_for(runtime.secret, scene.bob.cookie),
    }
    async with nothing_written(runtime, but={*TRACES, "portico_one_time_tokens"}):
        reset = await ask(
            app, "POST", f"{API}/auth/password/reset", headers=JSON, body=json.dumps(code).encode()
        )
        forged = await ask(app, "POST", "/account", headers={**csrf, **FORM}, body=b"full_name=x")

        assert (reset.status_code, forged.status_code) == (400, 403)
