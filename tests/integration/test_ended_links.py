"""CHECK-3 for what was mailed: links and codes die with what they were made for.

The sessions of the same acts are in tests/sessions/test_kill_the_subject.py.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from portico.users.services import Users
from tests.integration.ground import API, Person, enter
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import FAST_HASHES, PASSWORD, add_person

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "paper clip orange thunder"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "users": {"unasked_mails": "1000/hour"}}


class Scene:
    """Ada, and the mails that she got."""

    def __init__(self, app: FastAPI, runtime: Runtime, mails: CapturedMails, ada: Person) -> None:
        self.app, self.runtime, self.mails, self.ada = app, runtime, mails, ada
        self.address = ada.account.email
        self.second, self.third = f"second.{self.address}", f"third.{self.address}"

    async def post(self, path: str, body: dict[str, str], *, signed_in: bool = False) -> Answer:
        headers = {**JSON, **(self.ada.bearer if signed_in else {})}
        return await ask(self.app, "POST", API + path, headers=headers, body=json.dumps(body).encode())

    def mailed(self, to: str) -> dict[str, str]:
        """Return link and code of the last mail to an address."""
        mail = self.mails.last(to=to)
        return {
            "token": next(link.partition("token=")[2] for link in mail.links if "token=" in link),
            "code": mail.code or "",
        }


async def forget(scene: Scene) -> dict[str, Any]:
    await scene.post("/auth/password/forgot", {"email": scene.address})
    mailed = scene.mailed(scene.address)
    by_link = {"token": mailed["token"], "new_password": NEW_PASSWORD}
    by_code = {"email": scene.address, "code": mailed["code"], "new_password": NEW_PASSWORD}
    return {"/auth/password/reset": [by_link, by_code]}


async def want_another_address(scene: Scene) -> dict[str, Any]:
    await scene.post("/auth/email/change", {"email": scene.second, "password": PASSWORD}, signed_in=True)
    mailed = scene.mailed(scene.second)
    return {
        "/auth/email/verify": [{"token": mailed["token"]}, {"email": scene.second, "code": mailed["code"]}]
    }


async def want_proof(scene: Scene) -> dict[str, Any]:
    await scene.post("/auth/email/resend", {"email": scene.address})
    mailed = scene.mailed(scene.address)
    return {
        "/auth/email/verify": [{"token": mailed["token"]}, {"email": scene.address, "code": mailed["code"]}]
    }


async def delete(scene: Scene) -> None:
    await Users(scene.runtime, scene.runtime.unit()).delete_account(scene.ada.id)


async def change_password(scene: Scene) -> None:
    body = {"current_password": PASSWORD, "new_password": "a calculus of the nervous system"}
    assert (await scene.post("/auth/password/change", body, signed_in=True)).status_code == 204


async def ask_again(scene: Scene) -> None:
    await scene.post("/auth/password/forgot", {"email": scene.address})


async def change_address(scene: Scene) -> None:
    await scene.post("/auth/email/change", {"email": scene.third, "password": PASSWORD}, signed_in=True)
    proof = {"token": scene.mailed(scene.third)["token"]}
    assert (await scene.post("/auth/email/verify", proof)).status_code == 200


type Issue = Callable[[Scene], Awaitable[dict[str, Any]]]
type Act = Callable[[Scene], Awaitable[None]]

ENDS: list[tuple[Issue, Act]] = [
    (forget, delete),
    (forget, change_password),
    (forget, ask_again),
    (forget, change_address),
    (want_another_address, delete),
    (want_another_address, change_address),
    (want_proof, delete),
    (want_proof, change_address),
]


@pytest.mark.bar("CHECK-3", "ASVS-7.4.2", "CVE-2025-53942", "CVE-2026-18963", "ASVS-6.4.1")
async def test_what_was_mailed_dies_with_what_it_was_for(
    app: FastAPI, runtime: Runtime, mails: CapturedMails
) -> None:
    alive = []
    for number, (issue, act) in enumerate(ENDS):
        account = await add_person(runtime, f"ada{number}@example.org", verified=issue is not want_proof)
        scene = Scene(app, runtime, mails, await enter(runtime, account))
        proofs = await issue(scene)

        await act(scene)

        answers = [await scene.post(path, body) for path, bodies in proofs.items() for body in bodies]
        told = f"{issue.__name__}, {act.__name__}"
        alive += [f"{told}: {each.text}" for each in answers if each.status_code not in {400, 410}]
    assert not alive, "\n".join(alive)


@pytest.mark.bar("CHECK-3", "CVE-2025-53942")
async def test_recovery_does_not_switch_an_account_on_again(
    app: FastAPI, runtime: Runtime, mails: CapturedMails
) -> None:
    ada = await enter(runtime, await add_person(runtime, "ada@example.org"))
    scene = Scene(app, runtime, mails, ada)
    proofs = await forget(scene)
    await Users(runtime, runtime.unit()).deactivate_user(ada.id)

    await scene.post("/auth/password/reset", proofs["/auth/password/reset"][0])

    for password in (PASSWORD, NEW_PASSWORD):
        answer = await scene.post("/auth/login", {"identifier": scene.address, "password": password})
        assert answer.status_code in {401, 403}, answer.text
