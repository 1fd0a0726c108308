"""Stories with a fault in them, to see the harness catch it: each is whole unless somebody dies in the wrong place."""

from collections.abc import AsyncIterator
from typing import ClassVar
from uuid import UUID

from portico.access.models import RoleGrant
from portico.access.types import PlatformRole
from portico.audit.models import AuditEntry
from portico.audit.services import record
from portico.core.ids import PrincipalId, SessionId, UserId, new_id
from portico.credentials.models import PasswordCredential
from portico.credentials.passwords import Passwords
from portico.db.unit import Unit
from portico.mail.messages import build_message
from portico.mail.models import MailMessage
from portico.mail.transports import Transport
from portico.mail.types import Content, MailStatus
from portico.messaging import EventBus, Jobs
from portico.sessions.events import SessionCreated
from portico.sessions.models import Session
from portico.tokens.models import TokenFamily
from portico.users.addresses import parse_address
from portico.users.models import User
from portico.users.services import NewUser, Users
from tests.faults.stories import Story
from tests.faults.witness import CARELESS, careless
from tests.faults.world import World


class PlantedStory(Story):
    """Says what the harness must find."""

    fault: ClassVar[str]
    begins: ClassVar[float]
    """Which part of its points may be passed over, because nobody comes to harm there."""


class TwoTransactions(PlantedStory):
    """A person in one transaction, the password in the next one."""

    name = "planted_two_transactions"
    begins = 0.7
    fault = "has no credential"

    async def act(self, world: World) -> None:
        runtime, hashed = world.runtime, await world.runtime.get(Passwords).hash("an engine of figures")
        async with (unit := runtime.unit()):
            account = await Users(runtime, unit).create_user(NewUser(email=parse_address("ada@example.org")))
        async with (unit := runtime.unit()):
            now = runtime.clock.now()
            unit.session.add(PasswordCredential(user_id=account.id, password_hash=hashed, changed_at=now))


class RotationInTwoSteps(PlantedStory):
    """The family's leaf is taken away in one transaction, and its child made in the next one."""

    name = "planted_rotation"
    begins = 0.45
    fault = "are not over together"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        now = world.clock.now()
        for ended_at in (now, None):
            async with world.runtime.unit() as unit:
                [family] = await world.rows(TokenFamily)
                family = await unit.session.merge(family)
                family.ended_at, family.counter = ended_at, family.counter + 1


class AnswersTooEarly(PlantedStory):
    """The answer leaves before the commit."""

    name = "planted_early_answer"
    begins = 0.6
    fault = "an acknowledged person is lost"

    async def act(self, world: World) -> None:
        runtime, hashed = world.runtime, await world.runtime.get(Passwords).hash("an engine of figures")
        async with (unit := runtime.unit()):
            account = await Users(runtime, unit).create_user(NewUser(email=parse_address("ada@example.org")))
            now = runtime.clock.now()
            unit.session.add(PasswordCredential(user_id=account.id, password_hash=hashed, changed_at=now))
            world.tell({"answered": "register", "status": 201, "body": str(account.id)})

    async def check(self, world: World) -> AsyncIterator[str]:
        if world.history.is_acknowledged("register") and not await world.rows(User):
            yield "an acknowledged person is lost"


class MailBeforeCommit(PlantedStory):
    """A mail leaves from inside the transaction that is to cause it."""

    name = "planted_early_mail"
    begins = 0.3
    fault = "is a phantom"

    async def act(self, world: World) -> None:
        runtime = world.runtime
        async with runtime.unit() as unit:
            row_id = new_id()
            mail = build_message(
                runtime.settings,
                row_id=row_id,
                identifier=f"<{row_id}@localhost>",
                to="ada@example.org",
                content=Content("subject", "text", "<p>text</p>"),
                created_at=world.clock.now(),
            )
            await runtime.get(Transport).send(mail)
            await self.write(world, unit, row_id)
        await world.work_off()

    async def write(self, world: World, unit: Unit, row_id: UUID) -> None:
        now = world.clock.now()
        unit.session.add(
            MailMessage(
                id=row_id,
                message_id=f"<{row_id}@localhost>",
                template="planted",
                recipient="ada@example.org",
                status=MailStatus.SENT,
                created_at=now,
                sent_at=now,
            )
        )


class EventAfterCommit(PlantedStory):
    """A session is committed first, and announced in a transaction of its own."""

    name = "planted_late_event"
    begins = 0.5
    fault = "session.created: announced"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        runtime, user_id, now = (
            world.runtime,
            UserId(PrincipalId(UUID(world.person()["id"]))),
            world.clock.now(),
        )
        session = Session(
            id=new_id(), user_id=user_id, device_name="", amr=[], auth_time=now, created_at=now, last_seen_at=now,
            idle_expires_at=now, absolute_expires_at=now, cookie_hash=b"of a page",
        )  # fmt: skip
        async with runtime.unit() as unit:
            unit.session.add(session)
            record(runtime, unit, "session.created", session_id=session.id)
        announced = SessionCreated(
            at=now, session_id=SessionId(session.id), user_id=user_id, is_new_device=False
        )
        async with runtime.unit() as unit:
            await runtime.get(EventBus).emit(announced, unit)


class EntryAfterCommit(PlantedStory):
    """A right is given first, and its entry written in a transaction of its own."""

    name = "planted_late_entry"
    begins = 0.4
    fault = "the trail says role.granted of {}"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        runtime, principal_id, now = world.runtime, UUID(world.person()["id"]), world.clock.now()
        async with runtime.unit() as unit:
            unit.session.add(
                RoleGrant(principal_id=principal_id, role=PlatformRole.SUPERUSER, granted_at=now)
            )
        async with runtime.unit() as unit:
            subject = ("principal", principal_id)
            record(runtime, unit, "role.granted", subject=subject, details={"role": PlatformRole.SUPERUSER})


class HandlerForgetsItsClaim(PlantedStory):
    """A job writes in a transaction of its own instead of the run's, and is done again."""

    name = "planted_second_transaction"
    begins = 0.3
    fault = "2 effects of one job"

    async def act(self, world: World) -> None:
        async with world.runtime.unit() as unit:
            world.runtime.get(Jobs).enqueue(unit, careless)
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        effects = await world.rows(AuditEntry, AuditEntry.action == CARELESS)
        if len(effects) > 1:
            yield f"{len(effects)} effects of one job"


STORIES: tuple[type[PlantedStory], ...] = (
    TwoTransactions,
    RotationInTwoSteps,
    AnswersTooEarly,
    MailBeforeCommit,
    EventAfterCommit,
    EntryAfterCommit,
    HandlerForgetsItsClaim,
)
