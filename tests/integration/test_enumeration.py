"""CHECK-15: nothing that a stranger can measure tells whether somebody has an account.

Each flow is asked about somebody who is there and somebody who is not: the same status, body and headers, the same
statements, hashes and commits, and the same time. What is mailed is seen by the owner of the address alone.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.mail.models import MailMessage
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.services import NewUser, Users
from tests.credentials.acts import Work, measured
from tests.integration.ground import API, SCALE, enter, without_ids
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import FAST_HASHES, PASSWORD, add_person

pytestmark = pytest.mark.anyio

MANY = "1000000/hour"
WRONG = "not the password at all"
NEW_PASSWORD = "paper clip orange thunder"
CLOSEST_SECONDS = 0.002

type Body = Callable[[str], dict[str, str]]

FLOWS: dict[str, tuple[str, Body]] = {
    "sign-in": ("/auth/login", lambda address: {"identifier": address, "password": WRONG}),
    "sign-up": ("/auth/register", lambda address: {"email": address, "password": NEW_PASSWORD}),
    "recovery": ("/auth/password/forgot", lambda address: {"email": address}),
    "message again": ("/auth/email/resend", lambda address: {"email": address}),
    "code for an address": ("/auth/email/verify", lambda address: {"email": address, "code": "12345678"}),
    "code for recovery": (
        "/auth/password/reset",
        lambda address: {"email": address, "code": "12345678", "new_password": NEW_PASSWORD},
    ),
}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    users = {"email_verification": "required", "code_tries": MANY, "unasked_mails": MANY}
    return {"credentials": FAST_HASHES, "users": users}


class Crowd:
    """People of several kinds, made in numbers; no two addresses differ in length."""

    def __init__(self, runtime: Runtime, password_hash: str) -> None:
        self.runtime = runtime
        self._password_hash = password_hash
        self._numbers = count(100_000)

    def stranger(self) -> str:
        """Return an address that nobody has."""
        return f"person{next(self._numbers)}@example.org"

    async def member(self, kind: str) -> str:
        """Return the address of somebody: verified, unverified, switched off, deleted, or without a password."""
        address = self.stranger()
        unit = self.runtime.unit()
        async with unit:
            new = NewUser(email=parse_address(address), email_verified=kind != "unverified")
            account = await Users(self.runtime, unit).create_user(new)
            if kind != "without a password":
                now = self.runtime.clock.now()
                unit.session.add(
                    PasswordCredential(user_id=account.id, password_hash=self._password_hash, changed_at=now)
                )
        if kind == "switched off":
            await Users(self.runtime, self.runtime.unit()).deactivate_user(account.id)
        if kind == "deleted":
            await Users(self.runtime, self.runtime.unit()).delete_account(account.id)
        return address


KINDS = ("verified", "unverified", "switched off", "deleted", "without a password")


@pytest.fixture
async def crowd(runtime: Runtime) -> Crowd:
    return Crowd(runtime, await runtime.get(Passwords).hash(PASSWORD))


async def sent(app: FastAPI, path: str, body: dict[str, str], **headers: str) -> Answer:
    return await ask(app, "POST", API + path, headers={**JSON, **headers}, body=json.dumps(body).encode())


def shown(answer: Answer, address: str) -> tuple[int, Any, dict[str, str]]:
    """Return what a stranger sees of an answer, without what differs between any two."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, json.loads(json.dumps(body).replace(address, "…")), without_ids(answer.headers)


def done(work: Work) -> tuple[Counter[str], int]:
    """Return how often each statement ran, and the hashes; taking a part back is the same work as keeping it."""
    words = (word.split(" sa_savepoint")[0].replace("ROLLBACK TO", "RELEASE") for word in work.statements)
    return Counter(word.replace("rollback_savepoint", "release_savepoint") for word in words), work.hashes


@pytest.mark.bar("CHECK-15", "ASVS-6.3.8", "CVE-2026-23511", "CVE-2024-41952", "CVE-2024-39329")
async def test_answers_and_work_are_the_same_whoever_is_there(
    app: FastAPI, runtime: Runtime, crowd: Crowd
) -> None:
    differing = []
    for flow, (path, body) in FLOWS.items():
        await sent(app, path, body(crowd.stranger()))  # what is done once in a process is done now
        seen = {}
        for kind in ("nobody", *KINDS):
            address = crowd.stranger() if kind == "nobody" else await crowd.member(kind)
            async with measured(runtime) as work:
                answer = await sent(app, path, body(address))
            seen[kind] = (shown(answer, address), done(work))
        differing += [
            f"{flow}: {kind}: {seen[kind]} is not {seen['nobody']}"
            for kind in KINDS
            if seen[kind] != seen["nobody"]
        ]

    assert not differing, "\n".join(differing)


@pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
async def test_a_new_address_that_is_taken_gets_the_same_answer(
    app: FastAPI, runtime: Runtime, crowd: Crowd
) -> None:
    ada = await enter(runtime, await add_person(runtime, "ada@example.org"))
    await sent(app, "/auth/email/change", {"email": crowd.stranger()}, **ada.bearer)

    seen = []
    for address in (crowd.stranger(), await crowd.member("verified"), await crowd.member("unverified")):
        async with measured(runtime) as work:
            answer = await sent(app, "/auth/email/change", {"email": address}, **ada.bearer)
        seen.append((shown(answer, address), done(work)))

    assert seen[0][0][0] == 202
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.bar("CHECK-15")
async def test_each_sign_up_mails_once_whoever_is_there(app: FastAPI, runtime: Runtime, crowd: Crowd) -> None:
    path, body = FLOWS["sign-up"]
    counts = []
    for address in (crowd.stranger(), await crowd.member("verified"), await crowd.member("unverified")):
        before = await _mails(runtime)
        await sent(app, path, body(address))
        counts.append(await _mails(runtime) - before)

    assert counts == [1, 1, 1]


async def _mails(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return (await session.scalar(select(func.count()).select_from(MailMessage))) or 0


@pytest.mark.slow
@pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"] if SCALE > 1 else ["sqlite"])
@pytest.mark.parametrize("flow", FLOWS)
async def test_time_tells_nothing(app: FastAPI, crowd: Crowd, flow: str) -> None:
    """The quick run compares few samples and tries again where the machine was busy; 2,000 are the bar."""
    path, body = FLOWS[flow]
    gaps = []
    for _ in range(4):
        there, not_there = list[float](), list[float]()
        for number in range(20 * SCALE):
            order = [(await crowd.member("verified"), there), (crowd.stranger(), not_there)]
            for address, samples in order if number % 2 else order[::-1]:
                begun = time.perf_counter()
                await sent(app, path, body(address))
                samples.append(time.perf_counter() - begun)
        gaps.append(abs(statistics.median(there) - statistics.median(not_there)))
        if gaps[-1] < CLOSEST_SECONDS:
            return

    pytest.fail(f"medians are {[round(gap * 1000, 2) for gap in gaps]} ms apart")
