"""What a rule is: which entries it hears, how it puts them together, when they are too many, and who is told.

A rule is data and small pure functions of one entry; it remembers nothing. What it has heard is kept by the follower,
as marks in a table, in the same transaction as its place on the trail. A team's feature adds rules of its own:

    Feature(name="shop", contributes={AlertRule: [many_refunds]})
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from portico.alerts.counting import Counting, Mark, Threshold, microseconds
from portico.alerts.types import Audience, Severity
from portico.audit.types import TrailEntry
from portico.http.edge.addresses import client_of

PEOPLE = frozenset({"user", "principal"})
"""How the trail calls a person who is acted on."""

type Subject = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Group:
    """What is counted together. `key` is kept as a MAC only; `subject` is what the alert is about."""

    key: str
    subject: Subject | None = None


def _everything(_entry: TrailEntry) -> bool:
    return True


def _once(_entry: TrailEntry) -> int:
    return 1


def _nothing(_entry: TrailEntry) -> dict[str, Any]:
    return {}


def _not_elsewhere(_entry: TrailEntry) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule. `title` and `description` are marked texts in English; `hears` are names of actions.

    Further entries of a group whose alert is still going on raise that alert's count and no other one.
    """

    name: str
    title: str
    description: str
    severity: Severity
    hears: Collection[str]
    group: Callable[[TrailEntry], Group | None]
    """What to count an entry with; None passes it over."""
    where: Callable[[TrailEntry], bool] = _everything
    counting: Counting = field(default_factory=lambda: Threshold(1, timedelta(hours=1)))
    value: Callable[[TrailEntry], str | None] | None = None
    """Count different values of this instead of entries; entries without one are passed over."""
    weight: Callable[[TrailEntry], int] = _once
    details: Callable[[TrailEntry], dict[str, Any]] = _nothing
    """What the alert keeps of its entry; emptied when the person is erased."""
    tells: Collection[Audience] = ()
    """Who gets mail; nobody if empty."""
    is_told_elsewhere: Callable[[TrailEntry], bool] = _not_elsewhere
    """Whether another mail has told it already; then none is sent for this alert."""
    tells_subject: bool = True
    """Whether whom it is about is told, where he is one of the owners or administrators."""
    is_own: bool = False
    """Whether the person whom it is about finds it among his own alerts."""

    def mark(self, entry: TrailEntry) -> Mark | None:
        """Return what is kept of an entry while it counts; None passes it over."""
        value = self.value(entry) if self.value is not None else None
        if self.value is not None and value is None:
            return None
        return Mark(microseconds(entry.at), self.weight(entry), value, entry.id.hex)


def by_person(entry: TrailEntry) -> Group | None:
    """Put together what is done to one account."""
    if entry.subject_id is None or entry.subject_type not in PEOPLE:
        return None
    return Group(person_key(entry.subject_id), ("user", entry.subject_id))


def by_subject(entry: TrailEntry) -> Group | None:
    """Put together what is done to one thing, in one organization."""
    if entry.subject_id is None or entry.subject_type is None:
        return None
    subject = ("user" if entry.subject_type in PEOPLE else entry.subject_type, entry.subject_id)
    return Group(f"{subject[0]}:{subject[1]}{_where(entry)}", subject)


def by_actor(entry: TrailEntry) -> Group | None:
    """Put together what one principal does, in one organization."""
    if entry.actor_id is None:
        return None
    return Group(f"actor:{entry.actor_id}{_where(entry)}", ("user", entry.actor_id))


def by_client(entry: TrailEntry) -> Group | None:
    """Put together what comes from one address; IPv6 by /64, of which one subscriber has all."""
    address = entry.client_address
    return Group(f"client:{client_of(address).key}") if address else None


def by_client_or_all(entry: TrailEntry) -> Group:
    """Put together what comes from one address, and all that comes from so many that none of them is told."""
    return by_client(entry) or Group("clients")


def by_session(entry: TrailEntry) -> Group | None:
    """Let every session of a person stand for itself."""
    person = by_person(entry)
    if person is None or entry.session_id is None:
        return None
    return Group(f"session:{entry.session_id}", person.subject)


def by_organization(entry: TrailEntry) -> Group:
    """Put together what happens in one organization, or outside of all."""
    return Group(f"organization{_where(entry)}")


def person_key(user_id: UUID) -> str:
    """Return under which key a person's entries are counted by `by_person`."""
    return f"user:{user_id}"


def added(changes: Mapping[str, Any] | None, name: str) -> frozenset[str]:
    """Return what a change of a list added to it."""
    before, after = (changes or {}).get(name) or ((), ())
    return frozenset(after or ()) - frozenset(before or ())


def _where(entry: TrailEntry) -> str:
    return f"@{entry.organization_id}" if entry.organization_id else ""
