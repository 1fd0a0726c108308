"""CHECK-3: whatever ends a person's rights ends every credential of his, at once.

A table of acts against a table of credentials. Each credential is used right before the act, so that it is believed
from memory, and right after it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2
import pytest

from portico.credentials.events import PasswordChanged
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.models import Session
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.testing.mail import CapturedMails
from portico.users.events import UserClaimed
from portico.users.services import Users
from portico.users.types import Account
from tests.sessions.people import (
    ADDRESS,
    API,
    PASSWORD,
    SignedInPerson,
    by_cookie,
    rows_of,
    sign_in,
    sign_in_by_page,
)

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "a calculus of the nervous system"


@dataclass(frozen=True, slots=True)
class Scene:
    runtime: Runtime
    client: httpx2.AsyncClient
    account: Account
    person: SignedInPerson
    mails: CapturedMails


async def logout_all(scene: Scene) -> None:
    other = await sign_in(scene.client)
    assert (await other.request("POST", "/auth/logout-all")).status_code == 204


async def end_others(scene: Scene) -> None:
    other = await sign_in(scene.client)
    assert (await other.request("DELETE", "/auth/sessions")).status_code == 200


async def deactivate(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).deactivate_user(scene.account.id)


async def delete_oneself(scene: Scene) -> None:
    other = await sign_in(scene.client)
    answer = await other.request("DELETE", "/users/me")
    assert answer.status_code == 204, answer.text


async def delete_by_administrator(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).delete_account(scene.account.id)


async def change_password(scene: Scene) -> None:
    other = await sign_in(scene.client)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await other.request("POST", "/auth/password/change", json=body)
    assert answer.status_code < 300, answer.text


async def reset_password(scene: Scene) -> None:
    await scene.client.post(f"{API}/auth/password/forgot", json={"email": ADDRESS})
    secret = scene.mails.last(to=ADDRESS).links[0].partition("token=")[2]
    body = {"token": secret, "new_password": NEW_PASSWORD}
    answer = await scene.client.post(f"{API}/auth/password/reset", json=body)
    assert answer.status_code < 300, answer.text


async def claim(scene: Scene) -> None:
    runtime = scene.runtime
    unit = runtime.unit()
    async with unit:
        event = UserClaimed(at=runtime.clock.now(), user_id=scene.account.id)
        await runtime.get(EventBus).emit(event, unit)


async def end_by_administrator(scene: Scene) -> None:
    await Sessions(scene.runtime, scene.runtime.unit()).end_sessions_of(scene.account.id, SessionEnd.REVOKED)


type Act = Callable[[Scene], Awaitable[None]]
ACTS: tuple[Act, ...] = (
    logout_all,
    end_others,
    deactivate,
    delete_oneself,
    delete_by_administrator,
    change_password,
    reset_password,
    claim,
    end_by_administrator,
)


@pytest.mark.bar(
    "CHECK-3", "ASVS-7.4.1", "ASVS-7.4.2", "ASVS-7.4.3", "CVE-2025-29928", "CVE-2023-22492", "CVE-2025-65430",
    "CVE-2025-52553", "CVE-2024-46999", "CVE-2024-21495",
)  # fmt: skip
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_no_credential_survives(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account, mails: CapturedMails, act: Act
) -> None:
    person, cookie = await sign_in(client), await sign_in_by_page(runtime)
    assert (await person.who_am_i()).status_code == 200
    assert (await by_cookie(client, cookie)).status_code == 200
    before = [row.id for row in await rows_of(runtime, Session)]

    await act(Scene(runtime, client, ada, person, mails))

    statuses = {
        "access token": (await person.who_am_i()).status_code,
        "refresh token": (await person.refresh()).status_code,
        "page cookie": (await by_cookie(client, cookie)).status_code,
    }
    assert statuses == {"access token": 401, "refresh token": 401, "page cookie": 401}
    rows = [row for row in await rows_of(runtime, Session) if row.id in before]
    assert all(row.ended_at is not None and row.cookie_hash is None for row in rows)


@pytest.mark.bar("ASVS-7.4.3")
async def test_the_session_in_which_the_password_was_changed_goes_on(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    person = await sign_in(client)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}

    await person.request("POST", "/auth/password/change", json=body)

    assert (await person.who_am_i()).status_code == 200
    assert (await person.refresh()).status_code == 200


@pytest.mark.bar("ASVS-8.3.2", "CVE-2026-43983")
async def test_a_role_that_was_taken_is_not_believed_any_more(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    from portico.access.services import Grants
    from portico.access.types import PlatformRole
    from tests.sessions.people import add_person

    other = await add_person(runtime, "root@example.org")
    for each in (ada, other):
        await Grants(runtime, runtime.unit()).grant_role(each.id, PlatformRole.SUPERUSER)
    person = await sign_in(client)
    assert (await person.request("GET", "/admin/stats")).status_code == 200

    await Grants(runtime, runtime.unit()).revoke_role(ada.id, PlatformRole.SUPERUSER)

    assert (await person.request("GET", "/admin/stats")).status_code == 403
    assert (await person.who_am_i()).json()["roles"] == []


async def test_an_act_that_is_rolled_back_ends_nothing(
    runtime: Runtime, client: httpx2.AsyncClient, ada: Account
) -> None:
    person = await sign_in(client)
    unit = runtime.unit()
    with pytest.raises(RuntimeError, match="second thoughts"):
        async with unit:
            event = PasswordChanged(at=runtime.clock.now(), user_id=ada.id)
            await runtime.get(EventBus).emit(event, unit)
            raise RuntimeError("second thoughts")

    assert (await person.who_am_i()).status_code == 200
    assert (await person.refresh()).status_code == 200
