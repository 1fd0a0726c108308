"""What holds at any moment of any story, whoever was killed when: rows belong together, effects have causes.

Each check returns what is wrong, as sentences; an empty list is a proof for one point.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import text

from portico.access.models import PrincipalRow, RoleGrant
from portico.audit.models import AuditEntry
from portico.audit.services.sequencing import Sequencer
from portico.audit.services.verifying import verify_trail
from portico.audit.types import Outcome
from portico.credentials.models import PasswordCredential
from portico.http.authentication import PrincipalKind
from portico.keys.models import SigningKey
from portico.mail.captured import read_folder
from portico.mail.models import MailMessage
from portico.mail.types import MailStatus
from portico.messaging.models import JobRecord, OutboxRecord
from portico.messaging.types import JobStatus
from portico.oauth.models import OAuthGrant
from portico.sessions.models import Session
from portico.tokens.models import OneTimeToken, TokenFamily
from portico.users.models import EmailAddress, User
from tests.faults.sinks import hooked
from tests.faults.witness import BY_JOB, BY_TAP, heard
from tests.faults.world import World

type Check = Callable[[World], AsyncIterator[str]]


async def violations(world: World) -> list[str]:
    """Return every way in which the database, or what left it, is not whole."""
    return [fault for check in CHECKS for fault in [fault async for fault in check(world)]]


async def people_are_whole(world: World) -> AsyncIterator[str]:
    """A person has a principal, one primary address and a password, or there is no row of him at all."""
    principals = {row.id for row in await world.rows(PrincipalRow, PrincipalRow.kind == PrincipalKind.USER)}
    primaries = Counter(row.user_id for row in await world.rows(EmailAddress, EmailAddress.is_primary))
    with_password = {row.user_id for row in await world.rows(PasswordCredential)}
    people = [row for row in await world.rows(User) if row.erased_at is None]
    for person in people:
        if person.id not in principals:
            yield f"the person {person.id} is no principal"
        if primaries[person.id] != 1:
            yield f"the person {person.id} has {primaries[person.id]} primary addresses"
        if person.id not in with_password:
            yield f"the person {person.id} has no credential"
    for orphan in principals - {row.id for row in people}:
        yield f"the principal {orphan} is nobody"


async def sessions_are_whole(world: World) -> AsyncIterator[str]:
    """A session of the API has exactly one family; both live, or both are over."""
    sessions = {row.id: row for row in await world.rows(Session)}
    families = await world.rows(TokenFamily, TokenFamily.grant_id.is_(None))
    counts = Counter(row.session_id for row in families)
    for session in sessions.values():
        if session.cookie_hash is None and counts[session.id] != 1:
            yield f"the session {session.id} has {counts[session.id]} families"
    for family in families:
        owner = sessions.get(_known(family.session_id))
        if owner is None:
            yield f"the family {family.id} belongs to no session"
        elif (owner.ended_at is None) != (family.ended_at is None):
            yield f"the session {owner.id} and its family are not over together"


async def grants_are_whole(world: World) -> AsyncIterator[str]:
    """The refresh tokens of a client belong to a grant, and nothing of a grant that is over lives on."""
    grants = {row.id: row for row in await world.rows(OAuthGrant)}
    for family in await world.rows(TokenFamily, TokenFamily.grant_id.is_not(None)):
        grant = grants.get(_known(family.grant_id))
        if grant is None:
            yield f"the family {family.id} belongs to no grant"
        elif (grant.ended_at is None) != (family.ended_at is None):
            yield f"the grant {grant.id} and its family are not over together"


async def tokens_have_owners(world: World) -> AsyncIterator[str]:
    """A one-time token belongs to somebody."""
    principals = {row.id for row in await world.rows(PrincipalRow)}
    for token in await world.rows(OneTimeToken):
        if token.subject_id not in principals:
            yield f"the token {token.id} for {token.purpose} belongs to nobody"


async def keys_sign(world: World) -> AsyncIterator[str]:
    """For each purpose there is exactly one key without an end, and one that signs now."""
    keys, now = await world.rows(SigningKey), world.clock.now()
    for purpose in {key.purpose for key in keys}:
        ours = [key for key in keys if key.purpose == purpose]
        endless = [key for key in ours if key.signs_until is None]
        signing = [
            key for key in ours if key.signs_from <= now and (not key.signs_until or now < key.signs_until)
        ]
        if len(endless) != 1 or len(signing) != 1:
            yield f"for {purpose} there are {len(endless)} keys without an end, {len(signing)} that sign"


async def mail_has_left(world: World) -> AsyncIterator[str]:
    """What was written has left, and nothing left that was not written; one message, one Message-ID."""
    rows, left = await world.rows(MailMessage), [mail.message_id for mail in _sent(world)]
    for row in rows:
        if row.status is not MailStatus.SENT:
            yield f"the mail {row.template} to {row.recipient} is {row.status}"
    for fault in _unlike([row.message_id for row in rows], left):
        yield f"mail: {fault}"
    if world.history.has_ended and len(set(left)) != len(left):
        yield "mail: sent twice though nobody died"


async def jobs_are_done(world: World) -> AsyncIterator[str]:
    """Every job that was committed is done."""
    for each in await world.rows(JobRecord):
        if each.status is not JobStatus.DONE:
            yield f"the job {each.name} is {each.status} after {each.attempts} attempts: {each.last_error}"


async def events_were_heard(world: World) -> AsyncIterator[str]:
    """Every event that was committed was heard by the witness, and no other; what a transaction notes, once."""
    events = await world.rows(OutboxRecord)
    for event in events:
        if event.dispatched_at is None or event.fault:
            yield f"the event {event.name} was not fanned out: {event.fault}"
    committed = [str(event.id) for event in events]
    told = heard(world.folder / "data")
    for fault in _unlike(committed, told):
        yield f"event: {fault}"
    if world.history.has_ended and len(set(told)) != len(told):
        yield "event: heard twice though nobody died"
    for action in (BY_JOB, BY_TAP):
        noted = [row.details["event"] for row in await world.rows(AuditEntry, AuditEntry.action == action)]
        if Counter(noted) != Counter(committed):
            yield f"{action}: noted {Counter(noted)}, committed {Counter(committed)}"


async def events_have_causes(world: World) -> AsyncIterator[str]:
    """Who was made or ended was announced, and who was announced was made or ended."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for event in await world.rows(OutboxRecord):
        ids = event.payload.get("session_ids") or [
            event.payload.get("session_id") or event.payload.get("user_id")
        ]
        told[event.name].update(ids)
    sessions = await world.rows(Session)
    facts = {
        "user.created": [row.id for row in await world.rows(User)],
        "session.created": [row.id for row in sessions],
        "session.revoked": [row.id for row in sessions if row.ended_at is not None],
    }
    for name, ids in facts.items():
        if told[name] != Counter(map(str, ids)):
            yield f"{name}: announced {dict(told[name])}, true of {ids}"


async def changes_have_entries(world: World) -> AsyncIterator[str]:
    """Each change has its entry on the trail, and each entry its change: one to one."""
    entries: dict[str, Counter[str]] = defaultdict(Counter)
    for row in await world.rows(AuditEntry):
        about = row.session_id if row.action == "session.created" else row.subject_id
        for each in row.details.get("sessions") or [row.details.get("kid") or about]:
            role = f" {row.details['role']}" if "role" in row.details else ""
            entries[row.action][f"{each}{role}"] += 1
    entries["role.granted"].subtract(entries["role.revoked"])
    sessions, people = await world.rows(Session), await world.rows(User)
    grants = await world.rows(OAuthGrant)
    facts = {
        "user.created": [row.id for row in people],
        "oauth.grant.given": [row.id for row in grants],
        "oauth.grant.ended": [row.id for row in grants if row.ended_at is not None],
        "user.deleted": [row.id for row in people if row.deleted_at is not None],
        "session.created": [row.id for row in sessions],
        "session.revoked": [row.id for row in sessions if row.ended_at is not None],
        "role.granted": [f"{row.principal_id} {row.role}" for row in await world.rows(RoleGrant)],
        "key.rotated": [kid for kids in (await _keys(world)).values() for kid in kids[1:]],
    }
    for action, things in facts.items():
        if +entries[action] != Counter(map(str, things)):
            yield f"the trail says {action} of {dict(entries[action])}, true of {things}"


async def _keys(world: World) -> dict[str, list[str]]:
    """Return the keys of each purpose, the oldest first: it was made because there was none, and followed nobody."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(await world.rows(SigningKey), key=lambda row: row.signs_from):
        found[row.purpose].append(row.kid)
    return found


async def trail_is_sound(world: World) -> AsyncIterator[str]:
    """What was committed is chained, once, and the whole chain proves itself."""
    await Sequencer(world.runtime).run()
    verdict = await verify_trail(world.runtime)
    for fault in verdict.faults:
        yield f"trail: {fault}"
    if verdict.waiting:
        yield f"trail: {verdict.waiting} entries were not chained"
    for gap in await world.rows(AuditEntry, AuditEntry.outcome == Outcome.FAILED):
        yield f"trail: {gap.action} {gap.details}"


async def file_is_sound(world: World) -> AsyncIterator[str]:
    """SQLite finds its own file whole."""
    if not world.runtime.database.is_sqlite:
        return
    async with world.runtime.reads() as session:
        for (told,) in await session.execute(text("PRAGMA integrity_check")):
            if told != "ok":
                yield f"integrity_check: {told}"
        for broken in await session.execute(text("PRAGMA foreign_key_check")):
            yield f"foreign_key_check: {tuple(broken)}"


def duplicates(world: World) -> int:
    """Return how many effects came more than once, each time under the same id."""
    came = (
        [mail.message_id for mail in _sent(world)],
        heard(world.folder / "data"),
        hooked(world.folder / "data"),
    )
    return sum(len(ids) - len(set(ids)) for ids in came)


def _sent(world: World) -> Iterable[Any]:
    return read_folder(world.folder / "data" / "mail")


def _unlike(written: list[str], left: list[str]) -> Iterable[str]:
    """Say which causes had no effect, and which effects no cause."""
    for lost in set(written) - set(left):
        yield f"{lost} is lost"
    for phantom in set(left) - set(written):
        yield f"{phantom} is a phantom"


def _known(owner_id: UUID | None) -> UUID:
    return owner_id or UUID(int=0)


CHECKS: tuple[Check, ...] = (
    people_are_whole,
    sessions_are_whole,
    grants_are_whole,
    tokens_have_owners,
    keys_sign,
    mail_has_left,
    jobs_are_done,
    events_were_heard,
    events_have_causes,
    changes_have_entries,
    trail_is_sound,
    file_is_sound,
)
