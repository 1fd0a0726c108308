"""The stories that are played and killed: what is prepared, what happens, what must be true after it.

A story is played by one process that dies at some point of `act`. The next process reads the database, lets the
client do what clients do who got no answer (`retry`), lets time pass and everything due be done, and then `check`s:
what was acknowledged is there, and nothing is done by halves.
"""

from collections.abc import AsyncIterator
from typing import ClassVar

from portico.access.models import RoleGrant
from portico.audit.models import AuditEntry
from portico.keys.models import SigningKey
from portico.keys.services import rotate_keys
from portico.messaging.schedules import Scheduler
from portico.sessions.models import Session
from portico.sessions.services.session_tokens import POINTS_BETWEEN
from portico.users.models import EmailAddress, User
from tests.faults.witness import BY_CLOCK, TICK
from tests.faults.world import NEW_PASSWORD, World
from tests.sessions.people import PASSWORD

KEY = {"Idempotency-Key": "a key that nobody else thinks of"}


class Story:
    """One story; `between` are failpoints that make code take its long way (see `points.EveryFailpoint`)."""

    name: ClassVar[str]
    between: ClassVar[frozenset[str]] = frozenset()
    from_start: ClassVar[bool] = False
    """Kill the start of the server too."""

    async def prepare(self, world: World) -> None:
        """Make what the story begins with; nobody dies here."""

    async def act(self, world: World) -> None:
        """Do what is killed."""
        raise NotImplementedError

    async def retry(self, world: World) -> None:
        """Do what a client does after the restart who was not answered."""

    async def check(self, world: World) -> AsyncIterator[str]:
        """Say what is wrong in the end."""
        faults: tuple[str, ...] = ()
        for fault in faults:
            yield fault


class SignUp(Story):
    """Somebody signs up; the mail goes out. After a kill the form is sent again with the same Idempotency-Key."""

    name = "sign_up"
    wish: ClassVar = {"email": "ada@example.org", "password": PASSWORD, "full_name": "Ada"}

    async def act(self, world: World) -> None:
        await self.send(world, "register")
        await world.work_off()

    async def send(self, world: World, act: str) -> None:
        await world.ask(act, "POST", "/auth/register", json=self.wish, headers=KEY)

    async def retry(self, world: World) -> None:
        await self.send(world, "again")

    async def check(self, world: World) -> AsyncIterator[str]:
        first, again = world.history.answers.get("register"), world.history.answers["again"]
        people = await world.rows(User)
        if again.status != 201 or (first is not None and first.body != again.body):
            yield f"answered {first}, and again {again}"
        if [str(person.id) for person in people] != [again.body.get("id")]:
            yield f"{len(people)} people after one sign-up"
        world.scene["ada"] = self.wish
        if not await world.can_enter(PASSWORD):
            yield "signed up, and not let in"
        if len(mails := world.mails("ada@example.org")) != 1:
            yield f"{len(mails)} mails to who signed up"
        signed_up = await world.rows(AuditEntry, AuditEntry.action == "user.created")
        if len(signed_up) > 1:
            yield f"{len(signed_up)} entries in the trail"


class SignUpUnrepeated(SignUp):
    """Somebody signs up and, unanswered, goes away: the account is there whole, with its mail, or not at all."""

    name = "sign_up_unrepeated"

    async def send(self, world: World, act: str) -> None:
        await world.ask(act, "POST", "/auth/register", json=self.wish)

    async def retry(self, world: World) -> None:
        return

    async def check(self, world: World) -> AsyncIterator[str]:
        people, mails = await world.rows(User), world.mails("ada@example.org")
        if world.history.is_acknowledged("register") and not people:
            yield "an acknowledged sign-up is lost"
        if len(people) != len(mails):
            yield f"{len(people)} people and {len(mails)} mails"
        world.scene["ada"] = self.wish
        if people and not await world.can_enter(PASSWORD):
            yield "signed up, and not let in"


class VerifyEmail(Story):
    """Somebody opens the link of his mail, and again when nothing was answered."""

    name = "verify_email"

    async def prepare(self, world: World) -> None:
        wish = {"email": "ada@example.org", "password": PASSWORD}
        await world.done("register", "POST", "/auth/register", json=wish)
        await world.work_off()
        world.scene["token"] = world.mailed_token("ada@example.org")

    async def act(self, world: World) -> None:
        await world.ask("verify", "POST", "/auth/email/verify", json={"token": world.scene["token"]})
        await world.work_off()

    async def retry(self, world: World) -> None:
        if not world.history.is_acknowledged("verify"):
            await world.ask("again", "POST", "/auth/email/verify", json={"token": world.scene["token"]})

    async def check(self, world: World) -> AsyncIterator[str]:
        [address] = await world.rows(EmailAddress)
        if address.verified_at is None:
            yield "the address is not proven, and its token is used up"


class SignIn(Story):
    """Somebody signs in on a new device."""

    name = "sign_in"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        ada = world.person()
        proof = {"identifier": ada["email"], "password": ada["password"]}
        await world.ask("sign in", "POST", "/auth/login", json=proof, headers={"User-Agent": "another"})
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        answer, sessions = world.history.answers.get("sign in"), await world.rows(Session)
        if len(sessions) - 1 not in ({1} if answer else {0, 1}):
            yield f"{len(sessions)} sessions after the second sign-in"
        if answer and not await world.is_let_in(answer.body["access_token"]):
            yield "signed in, and not let in"
        if answer and await _refused(world, answer.body["refresh_token"]):
            yield "the refresh token of an acknowledged sign-in is not good"


async def _refused(world: World, token: str) -> bool:
    answer = await world.ask("probe", "POST", "/auth/refresh", json={"refresh_token": token})
    return answer.status_code != 200


class Refresh(Story):
    """A client refreshes twice; after a kill it presents the newest token that it knows, and is never shut out."""

    name = "refresh"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        token = world.person()["refresh_token"]
        for act in ("first", "second"):
            answer = await world.done(act, "POST", "/auth/refresh", json={"refresh_token": token})
            token = answer["refresh_token"]

    async def retry(self, world: World) -> None:
        token = self.newest(world)
        await world.ask("again", "POST", "/auth/refresh", json={"refresh_token": token})

    def newest(self, world: World) -> str:
        """Return the newest token that the client was given."""
        tokens = [world.person()["refresh_token"]]
        answers = world.history.answers
        tokens += [
            answers[act].body["refresh_token"] for act in ("first", "second", "again") if act in answers
        ]
        return str(tokens[-1])

    async def check(self, world: World) -> AsyncIterator[str]:
        if world.history.answers["again"].status != 200:
            yield f"shut out: {world.history.answers['again']}"
        elif await _refused(world, self.newest(world)):
            yield "no live leaf"


class RefreshStepByStep(Refresh):
    """The same on the long way of a refresh, statement by statement in one unit of work."""

    name = "refresh_step_by_step"
    between = POINTS_BETWEEN


class SignOut(Story):
    """Somebody signs out; unanswered, once more. Then neither of the tokens is good."""

    name = "sign_out"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        await self.send(world, "sign out")
        await world.work_off()

    async def send(self, world: World, act: str) -> None:
        await world.ask(act, "POST", "/auth/logout", json={"refresh_token": world.person()["refresh_token"]})

    async def retry(self, world: World) -> None:
        if not world.history.is_acknowledged("sign out"):
            await self.send(world, "again")

    async def check(self, world: World) -> AsyncIterator[str]:
        ada = world.person()
        if await world.is_let_in(ada["access_token"]) or not await _refused(world, ada["refresh_token"]):
            yield "signed out, and still in"


class ChangePassword(Story):
    """Somebody changes the password: then one of the two opens the account, and the other sessions are over or not."""

    name = "change_password"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        world.scene["elsewhere"] = await world.tokens_of("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        ada = world.person()
        change = {"current_password": ada["password"], "new_password": NEW_PASSWORD}
        await world.ask("change", "POST", "/auth/password/change", token=ada["access_token"], json=change)
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        mails = [mail for mail in world.mails("ada@example.org") if "password" in mail.subject.lower()]
        elsewhere = await world.is_let_in(world.scene["elsewhere"]["access_token"])
        changed = await world.can_enter(NEW_PASSWORD)
        if world.history.is_acknowledged("change") and not changed:
            yield "an acknowledged change is lost"
        if changed == await world.can_enter(PASSWORD):
            yield "both passwords are good, or neither"
        if changed == elsewhere or changed != (len(mails) == 1):
            yield f"changed: {changed}, elsewhere still in: {elsewhere}, mails: {len(mails)}"


class ResetPassword(Story):
    """Somebody asks for a reset, opens the link and chooses a new password; unanswered, once more."""

    name = "reset_password"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.done("forgot", "POST", "/auth/password/forgot", json={"email": "ada@example.org"})
        await world.work_off()
        world.scene["token"] = world.mailed_token("ada@example.org")

    async def act(self, world: World) -> None:
        await self.send(world, "reset")
        await world.work_off()

    async def send(self, world: World, act: str) -> None:
        wish = {"token": world.scene["token"], "new_password": NEW_PASSWORD}
        await world.ask(act, "POST", "/auth/password/reset", json=wish)

    async def retry(self, world: World) -> None:
        if not world.history.is_acknowledged("reset"):
            await self.send(world, "again")

    async def check(self, world: World) -> AsyncIterator[str]:
        if await world.can_enter(PASSWORD) or not await world.can_enter(NEW_PASSWORD):
            yield f"not reset: {world.history.answers}"
        if await world.is_let_in(world.person()["access_token"]):
            yield "reset, and the old session lives"


class ForgetPassword(Story):
    """Somebody asks for a link: if that was acknowledged it comes, and one that came is good."""

    name = "forget_password"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()
        world.scene["mails"] = len(world.mails("ada@example.org"))

    async def act(self, world: World) -> None:
        await world.ask("forgot", "POST", "/auth/password/forgot", json={"email": "ada@example.org"})
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        new = len(world.mails("ada@example.org")) - world.scene["mails"]
        if new not in ({1} if world.history.is_acknowledged("forgot") else {0, 1}):
            yield f"{new} mails"
        if new:
            wish = {"token": world.mailed_token("ada@example.org"), "new_password": NEW_PASSWORD}
            await world.ask("reset", "POST", "/auth/password/reset", json=wish)
            if not await world.can_enter(NEW_PASSWORD):
                yield "the mailed link is not good"


class DeleteAccount(Story):
    """Somebody deletes the account: it is gone with its sessions, or all of it is there."""

    name = "delete_account"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        ada = world.person()
        password = {"password": ada["password"]}
        await world.ask("delete", "DELETE", "/users/me", token=ada["access_token"], json=password)
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        [person] = await world.rows(User)
        gone = person.deleted_at is not None
        if world.history.is_acknowledged("delete") and not gone:
            yield "an acknowledged deletion is lost"
        if gone == await world.is_let_in(world.person()["access_token"]) or gone == await world.can_enter(
            PASSWORD
        ):
            yield f"deleted: {gone}, and let in as if it were not so"
        [address] = await world.rows(EmailAddress)
        if gone != (address.released_at is not None):
            yield "person and address are not gone together"


class ChangeRole(Story):
    """An administrator gives somebody a role; unanswered, again with the same Idempotency-Key."""

    name = "change_role"

    async def prepare(self, world: World) -> None:
        await world.enroll("grace", is_superuser=True)
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        await self.send(world, "grant")
        await world.work_off()

    async def send(self, world: World, act: str) -> None:
        path, token = f"/admin/users/{world.person()['id']}/roles", world.person("grace")["access_token"]
        await world.ask(act, "PUT", path, token=token, json={"roles": ["superuser"]}, headers=KEY)

    async def retry(self, world: World) -> None:
        await self.send(world, "again")

    async def check(self, world: World) -> AsyncIterator[str]:
        first, again = world.history.answers.get("grant"), world.history.answers["again"]
        if again.status != 200 or (first is not None and first.body != again.body):
            yield f"answered {first}, and again {again}"
        grants = [row for row in await world.rows(RoleGrant) if str(row.principal_id) == world.person()["id"]]
        entries = await world.rows(AuditEntry, AuditEntry.action == "role.granted")
        ours = [entry for entry in entries if str(entry.subject_id) == world.person()["id"]]
        if len(grants) != 1 or len(ours) != 1:
            yield f"{len(grants)} grants and {len(ours)} entries in the trail"


class ChangeProfile(Story):
    """Somebody changes the profile."""

    name = "change_profile"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        wish = {"full_name": "Ada Lovelace", "username": "ada.lovelace"}
        await world.ask("change", "PATCH", "/users/me", token=world.person()["access_token"], json=wish)
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        [person] = await world.rows(User)
        told = (person.full_name, person.username)
        if told not in {(None, None), ("Ada Lovelace", "ada.lovelace")}:
            yield f"half a profile: {told}"
        if world.history.is_acknowledged("change") and person.full_name is None:
            yield "an acknowledged change is lost"


class FirstStart(Story):
    """A server starts on an empty database and makes its first key."""

    name = "first_start"
    from_start = True

    async def prepare(self, world: World) -> None:
        async with world.runtime.unit() as unit:
            for key in await world.rows(SigningKey):
                await unit.session.delete(await unit.session.merge(key))

    async def act(self, world: World) -> None:
        await world.ask("look", "GET", "/users/me")

    async def check(self, world: World) -> AsyncIterator[str]:
        await world.enroll("ada")
        if not await world.is_let_in(world.person()["access_token"]):
            yield "the key does not sign"


class RotateKeys(Story):
    """Keys are rotated: who is signed in stays so, and new tokens are good."""

    name = "rotate_keys"

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        await world.work_off()

    async def act(self, world: World) -> None:
        world.tell({"asked": "rotate"})
        rotated = await rotate_keys(world.runtime, world.runtime.unit())
        world.tell({"answered": "rotate", "status": 200, "body": rotated.kid})
        await world.work_off()

    async def check(self, world: World) -> AsyncIterator[str]:
        known = [key.kid for key in await world.rows(SigningKey)]
        if "rotate" in world.history.answers and world.history.answers["rotate"].body not in known:
            yield "an acknowledged key is lost"
        if not await world.is_let_in(world.person()["access_token"]):
            yield "a token from before the rotation is not good"
        world.pass_time(60)
        tokens = await world.tokens_of("ada")
        if not await world.is_let_in(tokens["access_token"]):
            yield "a new token is not good"


class ScheduleTick(Story):
    """The clock comes round: one tick, one job, whoever makes it."""

    name = "schedule_tick"

    async def prepare(self, world: World) -> None:
        await world.runtime.get(Scheduler).tick()

    async def act(self, world: World) -> None:
        world.pass_time(TICK.total_seconds() / 60 + 1)
        await world.runtime.get(Scheduler).tick()
        await world.work_off()

    async def retry(self, world: World) -> None:
        world.pass_time(TICK.total_seconds() / 60 + 2)
        await world.runtime.get(Scheduler).tick()

    async def check(self, world: World) -> AsyncIterator[str]:
        noted = await world.rows(AuditEntry, AuditEntry.action == BY_CLOCK)
        if len(noted) != 1:
            yield f"{len(noted)} runs of one tick"


STORIES: tuple[type[Story], ...] = (
    SignUp,
    SignUpUnrepeated,
    VerifyEmail,
    SignIn,
    Refresh,
    RefreshStepByStep,
    SignOut,
    ChangePassword,
    ForgetPassword,
    ResetPassword,
    DeleteAccount,
    ChangeRole,
    ChangeProfile,
    FirstStart,
    RotateKeys,
    ScheduleTick,
)
