"""Organizations and who belongs to them. What members may do there is granted in `portico.access`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified, SoftDeleted, Timestamped, Versioned
from portico.organizations.types import Joined


class Organization(Timestamped, SoftDeleted, Versioned, NamedTable):
    """A tenant with a name. Its id is the tenant's; a slug is no id, and among the living no two look the same.

    `slug_key` is the skeleton by which look-alikes collide, as that of usernames.
    """

    table = "organizations"
    __table_args__ = (
        Index(
            "uq_portico_organizations_slug_key",
            "slug_key",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Of the living only, because lists show no others.
        Index(
            "ix_portico_organizations_created_at_id_living",
            "created_at",
            "id",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_portico_organizations_deleted_at",
            "deleted_at",
            sqlite_where=text("deleted_at IS NOT NULL"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(60))
    slug_key: Mapped[str] = mapped_column(String(120))
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Membership(NamedTable):
    """That a person belongs to an organization; his roles are granted in `portico.access`."""

    table = "memberships"
    __table_args__ = (
        Index("ix_portico_memberships_user_id", "user_id", "organization_id"),
        Index("ix_portico_memberships_joined_at", "organization_id", "joined_at", "user_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"), primary_key=True
    )
    how: Mapped[Joined] = mapped_column(EnumText(Joined))
    invited_by: Mapped[UUID | None] = mapped_column(Uuid)
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)


_OPEN = text("accepted_at IS NULL AND declined_at IS NULL AND revoked_at IS NULL")


class Invitation(Identified, NamedTable):
    """That whoever owns an address may join; open until it is accepted, declined, revoked or expired.

    `roles` are names as in `portico.access`, measured by what `invited_by` holds: when the mail was sent, and again
    when somebody accepts. `secret_hash` is SHA-256. An address has one open invitation of an organization.
    """

    table = "invitations"
    __table_args__ = (
        Index("ix_portico_invitations_address", "address", "organization_id"),
        Index(
            "uq_portico_invitations_open",
            "organization_id",
            "address",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_organizations.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str] = mapped_column(String(320))
    address: Mapped[str] = mapped_column(String(320))
    """The normal form, by which it is compared."""
    roles: Mapped[list[Any]] = mapped_column(JsonDocument)
    teams: Mapped[list[Any] | None] = mapped_column(JsonDocument, default=list)
    """Ids of the teams into which he is put besides."""
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sends: Mapped[int] = mapped_column(Integer, default=1)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_by: Mapped[UUID | None] = mapped_column(Uuid)
    declined_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Team(Timestamped, Versioned, NamedTable):
    """A group with a name; its id is the group's."""

    table = "teams"
    __table_args__ = (UniqueConstraint("organization_id", "slug", name="uq_portico_teams_slug"),)

    id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_groups.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(80))
    slug: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(400))


class Domain(Identified, Timestamped, Versioned, NamedTable):
    """A mail domain that an organization says is its own; proven by a DNS TXT record, then nobody else's."""

    table = "domains"
    __table_args__ = (
        UniqueConstraint("organization_id", "domain", name="uq_portico_domains_domain"),
        Index(
            "uq_portico_domains_proven",
            "domain",
            unique=True,
            sqlite_where=text("verified_at IS NOT NULL"),
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_organizations.id", ondelete="CASCADE")
    )
    domain: Mapped[str] = mapped_column(String(253))
    """In lower-case ASCII (IDNA)."""
    challenge: Mapped[str] = mapped_column(String(60))
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    failed_checks: Mapped[int] = mapped_column(Integer, default=0)
    """How many checks in a row did not find the record of a proven domain."""
    joins_automatically: Mapped[bool] = mapped_column(Boolean, default=False)
    role: Mapped[str] = mapped_column(String(40))
    """What those hold who join by it: a name as in `portico.access`."""


class Departure(NamedTable):
    """That somebody left an organization or was put out, so that no verified domain lets him in again by itself.

    Kept by person, and by a MAC of the address, which names nobody and outlives the account: who deletes it and signs
    up again with the same address is not let in either. An invitation is not asked.
    """

    table = "departures"
    __table_args__ = (
        UniqueConstraint("organization_id", "user_id", name="uq_portico_departures_user_id"),
        Index("ix_portico_departures_address_mac", "organization_id", "address_mac"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(Uuid)
    address_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    left_at: Mapped[datetime] = mapped_column(UtcDateTime)
