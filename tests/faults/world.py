"""What a story acts on: a composed deployment, a client that tells of each answer, and what was prepared for it.

The same object serves the process that is killed and the one that comes after it.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import exists, or_, select

from portico.audit.services.sequencing import Sequencer
from portico.mail.captured import CapturedMail, read_folder
from portico.messaging.draining import run_due_jobs
from portico.messaging.execution import recover_lost
from portico.messaging.models import JobRecord, OutboxRecord
from portico.messaging.types import JobStatus
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.integration.ground import make_superuser
from tests.sessions.people import FAST_HASHES, PASSWORD, add_person

API = "/api/v1"
PUBLIC_URL = "http://localhost:8000"
SECRET = "the root secret of a deployment that dies often"
NEW_PASSWORD = "paper clip orange thunder"
TOKEN = re.compile(r"ptk_[\w.-]+")

type Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told, once it had all of it."""

    status: int
    body: Any


@dataclass(slots=True)
class History:
    """What the clients know: which requests they sent, and which were answered, by the names of the acts."""

    asked: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    has_ended: bool = False
    """Whether the story came to its end: nobody died."""

    def note(self, line: dict[str, Any]) -> None:
        """Take in one line of the killed process."""
        if "asked" in line:
            self.asked.append(line["asked"])
        elif "answered" in line:
            self.answers[line["answered"]] = Answer(line["status"], line["body"])
        self.has_ended = self.has_ended or "passed" in line

    def is_acknowledged(self, act: str) -> bool:
        """Tell whether the client of an act was told that it is done."""
        return act in self.answers and self.answers[act].status < 400


@dataclass(slots=True)
class World:
    """A deployment in one process, and the scene of the story that is played in it."""

    runtime: Runtime
    app: FastAPI
    clock: FrozenClock
    folder: Path
    scene: dict[str, Any]
    tell: Tell
    client: httpx2.AsyncClient
    hook_url: str = ""
    """Where webhooks may be sent."""
    history: History = field(default_factory=History)

    async def ask(
        self, act: str, method: str, path: str, *, token: str | None = None, **more: Any
    ) -> httpx2.Response:
        """Ask the deployment; the history is told before, and again when the whole answer is there."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        self.client.cookies.clear()
        self.tell({"asked": act})
        answer = await self.client.request(method, API + path, headers=headers, **more)
        body = answer.json() if answer.content else None
        self.tell({"answered": act, "status": answer.status_code, "body": body})
        return answer

    async def done(self, act: str, method: str, path: str, **more: Any) -> Any:
        """Ask for what must be done, and return the answer's body."""
        answer = await self.ask(act, method, path, **more)
        assert answer.status_code < 400, f"{act}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def enroll(self, name: str, *, is_superuser: bool = False) -> dict[str, Any]:
        """Make somebody with a password who is signed in, and put him into the scene."""
        email = f"{name}@example.org"
        account = await add_person(self.runtime, email)
        if is_superuser:
            await make_superuser(self.runtime, account)
        self.scene[name] = {"id": str(account.id), "email": email, "password": PASSWORD}
        self.scene[name] |= await self.tokens_of(name)
        return self.person(name)

    async def tokens_of(self, name: str) -> dict[str, Any]:
        """Sign somebody of the scene in once more."""
        person = self.person(name)
        proof = {"identifier": person["email"], "password": person["password"]}
        answer = await self.done("enter", "POST", "/auth/login", json=proof)
        return {"access_token": answer["access_token"], "refresh_token": answer["refresh_token"]}

    def person(self, name: str = "ada") -> dict[str, Any]:
        """Return somebody of the scene."""
        person: dict[str, Any] = self.scene[name]
        return person

    async def can_enter(self, password: str, name: str = "ada") -> bool:
        """Tell whether a password opens the account."""
        proof = {"identifier": self.person(name)["email"], "password": password}
        return (await self.ask("try", "POST", "/auth/login", json=proof)).status_code == 200

    async def is_let_in(self, token: str) -> bool:
        """Tell whether an access token is good."""
        return (await self.ask("look", "GET", "/users/me", token=token)).status_code == 200

    async def rows(self, model: Any, *where: Any) -> Sequence[Any]:
        """Return the rows of a table as they are stored."""
        async with self.runtime.reads() as session:
            return (await session.scalars(select(model).where(*where))).all()

    async def work_off(self) -> None:
        """Do all that is due: what relay, recovery, runner and sequencer of a living server would do."""
        await recover_lost(self.runtime)
        await run_due_jobs(self.runtime)
        await Sequencer(self.runtime).run()

    async def is_worked_off(self) -> bool:
        """Tell whether no event and no job is left."""
        events = exists().where(OutboxRecord.dispatched_at.is_(None))
        jobs = exists().where(JobRecord.status.in_([JobStatus.QUEUED, JobStatus.RUNNING]))
        async with self.runtime.reads() as session:
            return not await session.scalar(select(or_(events, jobs)))

    def pass_time(self, minutes: float) -> None:
        """Let the frozen clock run."""
        self.clock.advance(timedelta(minutes=minutes))

    def mails(self, to: str) -> list[CapturedMail]:
        """Return the mails to one address that have left, oldest first; one that came twice, once."""
        came = {mail.message_id: mail for mail in read_folder(self.folder / "data" / "mail") if mail.to == to}
        return [*came.values()][::-1]

    def mailed_token(self, to: str) -> str:
        """Return the secret of the newest mail's link."""
        found = TOKEN.search(self.mails(to)[-1].text)
        assert found, self.mails(to)[-1].text
        return found[0]


def settings_given(url: str, folder: Path, mail_url: str | None = None) -> dict[str, Any]:
    """Return the settings of the deployment that is killed."""
    mail = {"mail": {"url": mail_url}} if mail_url else {}
    return {
        "environment": "test",
        "data_dir": folder / "data",
        "public_url": PUBLIC_URL,
        "secret_key": SECRET,
        "database": {"url": url, "pool_size": 2, "pool_overflow": 2, "readers": 1},
        "rate_limit": {"enabled": False},
        "logging": {"access": False, "level": "error"},
        "credentials": FAST_HASHES,
        "outbound": {"allow_loopback": True},
        **mail,
    }


def line_of(message: dict[str, Any]) -> bytes:
    """Return a message as the processes of the harness send it to each other."""
    return json.dumps(message, default=str).encode() + b"\n"
