"""Shapes of the admin API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from portico.access.types import PlatformRole
from portico.admin.types import JobSort, PersonSort
from portico.http.pagination import MAX_PAGE, MAX_PAGE_SIZE, PageQuery, SortOrder
from portico.http.schemas import QueryModel, RequestModel, ResponseModel
from portico.keys.types import KeyPurpose, SigningAlgorithm
from portico.messaging import JobStatus
from portico.users.schemas import ProfileResponse
from portico.users.types import UserStatus

RoleName = Annotated[PlatformRole, Field(strict=False)]
"""A role by its name; JSON has no enumerations, so the text is taken."""


class PersonListQuery(PageQuery):
    """Which people, in which order. `q` is looked for in address, username and full name."""

    sort_by: PersonSort = PersonSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: UserStatus | None = None
    """Only people with this status."""
    verified: bool | None = None
    """Only people who have proven their address, or only those who have not."""
    role: PlatformRole | None = None
    """Only people who hold this role."""
    deleted: bool = False
    """People who were deleted and can still be restored, instead of the living."""


class JobListQuery(PageQuery):
    """Which jobs, the newest first. `q` is looked for in the name."""

    sort_by: JobSort = JobSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: JobStatus | None = None
    """Only jobs that stand so; `dead` are those that were given up."""
    queue: str | None = Field(None, min_length=1, max_length=40)
    """Only jobs of this queue."""
    name: str | None = Field(None, min_length=1, max_length=120)
    """Only jobs of this name."""


class RegistrationTokenListQuery(QueryModel):
    """Which page of the registration tokens."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    """Which page, from 1."""
    page_size: int = Field(20, ge=1, le=MAX_PAGE_SIZE)
    """How many a page."""


class CreatePersonRequest(RequestModel):
    """A new person. He gets a mail with a link to choose a password; an administrator never chooses one."""

    email: str = Field(max_length=320)
    username: str | None = Field(None, max_length=64)
    full_name: str | None = Field(None, max_length=200)
    locale: str | None = Field(None, max_length=16)
    """One of the languages of the deployment; default: its first."""


class RolesRequest(RequestModel):
    """The platform roles that the person is to hold: these and no others."""

    roles: list[RoleName] = Field(max_length=20)


class RotateKeyRequest(RequestModel):
    """Which key is to get a successor."""

    purpose: Annotated[KeyPurpose, Field(strict=False)] = KeyPurpose.ACCESS_TOKEN


class CreateRegistrationTokenRequest(RequestModel):
    """An invitation: who has its secret may sign up."""

    note: str | None = Field(None, max_length=200)
    role: RoleName | None = None
    """Role that comes with it; only one that its maker holds."""
    max_uses: int = Field(1, ge=1, le=10_000)
    expires_in_days: int | None = Field(None, ge=1, le=365)
    """How long it is good; default: the deployment's setting."""


class PersonResponse(ProfileResponse):
    """A person as administrators see him."""

    last_seen_at: datetime | None
    """When one of his sessions was used last, to about a minute."""
    deleted_at: datetime | None
    """When the account was closed; null for the living."""


class RolesResponse(ResponseModel):
    """The platform roles that a person holds."""

    roles: list[PlatformRole]


class StatisticsResponse(ResponseModel):
    """The deployment in figures."""

    at: datetime
    people: int
    active: int
    verified: int
    new_24h: int
    new_7d: int
    new_30d: int
    live_sessions: int
    failed_sign_ins_24h: int


class JobResponse(ResponseModel):
    """A job. Its arguments are ids and options, no secrets."""

    id: UUID
    name: str
    queue: str
    status: JobStatus
    priority: int
    attempts: int
    arguments: dict[str, Any]
    unique_key: str | None
    progress: dict[str, Any] | None
    last_error: str | None
    worker: str | None
    request_id: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class QueueResponse(ResponseModel):
    """How a queue is doing."""

    name: str
    queued: int
    running: int
    dead: int
    """Jobs that were given up and wait for somebody to look at them."""
    oldest_due_seconds: int
    """How long the first of those that wait is overdue."""


class QueuesResponse(ResponseModel):
    """How the work after the answer is doing."""

    queues: list[QueueResponse]
    unknown_jobs: dict[str, int]
    """Jobs by name that no process of this release can do."""
    events_waiting: int
    events_faulty: int
    """Events whose fan-out failed; they are tried again."""
    events_unpublished: int
    """Events that the message broker has not taken yet."""
    oldest_event_seconds: int


class SigningKeyResponse(ResponseModel):
    """A signing key; nothing of it is secret."""

    kid: str
    purpose: KeyPurpose
    algorithm: SigningAlgorithm
    created_at: datetime
    signs_from: datetime
    signs_until: AwareDatetime | None
    verifies_until: AwareDatetime | None


class SigningKeysResponse(ResponseModel):
    """The published keys, oldest first."""

    data: list[SigningKeyResponse]


class RotatedKeyResponse(ResponseModel):
    """The key that signs next; `is_new` is false where one was waiting already."""

    purpose: KeyPurpose
    kid: str
    signs_from: datetime
    is_new: bool


class RegistrationTokenResponse(ResponseModel):
    """A registration token without its secret."""

    id: UUID
    note: str | None
    role: PlatformRole | None
    max_uses: int
    uses: int
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class IssuedRegistrationTokenResponse(ResponseModel):
    """A new registration token; `secret` is shown this once."""

    id: UUID
    secret: str
    expires_at: datetime
    max_uses: int
