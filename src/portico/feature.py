"""The declaration of a feature: everything that the composition root needs to know about it.

A team's own product is one more `Feature`; see `docs/architecture.md`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from portico.core.ids import UserId
from portico.core.permissions import Permission
from portico.core.settings import FeatureSettings
from portico.db.unit import Unit
from portico.http.authentication import Authenticator
from portico.http.policies import Policy
from portico.messaging import Job, LaterSubscription, Periodic, Schedule, Subscription, Tap
from portico.runtime import Runtime

type LoadResource = Callable[[UUID, AsyncSession], Awaitable[object | None]]
"""Finds a thing by its id."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One part that `/health/detailed` asks; `run` returns a short sentence or raises."""

    name: str
    run: Callable[[Runtime], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What a feature holds of one person: how to export it, how to erase it.

    `export` returns JSON-ready values; `erase` runs inside the purge's transaction and leaves nothing that names
    the person.
    """

    section: str
    export: Callable[[UserId, AsyncSession], Awaitable[Any]] | None = None
    erase: Callable[[UserId, Unit, Runtime], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class AccountSection:
    """An entry in the navigation of the account pages."""

    label: str
    path: str
    order: int = 50
    icon: str = ""
    """One of `portico/web/templates/icons.html.jinja`; none if empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature; only `name` is required.

    `routers` are mounted under `/api/v1`, `pages` and `root_routes` at the root. `ports` maps a protocol owned by a
    lower floor to a factory of what fills it. `lifespan` is entered before the first request, in the order of the
    features, and left in reverse.
    """

    name: str
    routers: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    root_routes: Sequence[APIRouter] = ()
    authenticators: Sequence[Callable[[Runtime], Authenticator]] = ()
    subscribers: Sequence[Subscription | LaterSubscription] = ()
    jobs: Sequence[Job[...]] = ()
    schedules: Sequence[Schedule] = ()
    """Jobs that the clock enqueues; they need not be named among `jobs` again."""
    taps: Sequence[Tap] = ()
    """Who hears of every event, inside the transaction of its fan-out."""
    periodics: Sequence[Periodic] = ()
    """What each process repeats for itself. Work for the whole deployment is a schedule."""
    permissions: type[Permission] | None = None
    roles: Mapping[str, Collection[Permission]] = field(default_factory=dict)
    """What roles hold of the feature's permissions, by the role's name: of `OrganizationRole`, of `PlatformRole`, or a
    name of the feature's own, which makes one more role of organizations. Owners and superusers hold all unnamed."""
    policies: Mapping[Permission, Policy] = field(default_factory=dict)
    """What is asked besides the role, where a service says `authorize(…, resource)`."""
    resources: Mapping[str, LoadResource] = field(default_factory=dict)
    """How `portico authz explain` finds a thing that a policy speaks of, by its kind: `document`."""
    settings: type[FeatureSettings] | None = None
    ports: Mapping[type, Callable[[Runtime], Any]] = field(default_factory=dict)
    contributes: Mapping[type, Sequence[Any]] = field(default_factory=dict)
    """What it adds to a list that another feature keeps, by the type of its members: `{AlertRule: [many_refunds]}`."""
    lifespan: Callable[[Runtime], AbstractAsyncContextManager[None]] | None = None
    commands: Callable[[Any], None] | None = None
    health_checks: Sequence[HealthCheck] = ()
    personal_data: Sequence[PersonalData] = ()
    account_sections: Sequence[AccountSection] = ()
    templates: str | None = None
    """Package whose `templates/` folder holds the feature's pages and mails (`portico.users`)."""
    messages: str | None = None
    """Package whose `locale/` folder holds compiled catalogues."""
    migrations: str | None = None
    """Package with the Alembic chain of a team's own feature."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The features of this process, lowest floor first; `runtime.get(FeatureSet)`."""

    features: tuple[Feature, ...]

    @property
    def personal_data(self) -> list[PersonalData]:
        """Return what all features hold of a person."""
        return [held for feature in self.features for held in feature.personal_data]

    def contributed[T](self, kind: type[T]) -> list[T]:
        """Return what all features add to the list of this type."""
        return [each for feature in self.features for each in feature.contributes.get(kind, ())]
