"""Shapes of mail domains."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.organizations.domain_names import record_name, record_value
from portico.organizations.schemas.members import RoleText
from portico.organizations.types import DomainFacts


class DomainRecord(ResponseModel):
    """What is to stand in DNS."""

    type: Literal["TXT"] = "TXT"
    name: str
    value: str


class DomainResponse(ResponseModel):
    """A mail domain of the organization."""

    id: UUID
    domain: str
    """In lower case; international names as `xn--…`."""
    record: DomainRecord
    """The record that proves the domain, and must stay."""
    verified_at: datetime | None
    """Since when it is proven; null: it is not."""
    checked_at: datetime | None
    """When DNS was asked last."""
    failed_checks: int
    """How many look-ups in a row did not find the record."""
    joins_automatically: bool
    """Whoever proves an address of the domain becomes a member."""
    role: RoleText
    """As what."""
    created_at: datetime
    version: int

    @classmethod
    def of(cls, facts: DomainFacts) -> Self:
        """Make it of the value."""
        return cls(
            id=facts.id,
            domain=facts.domain,
            record=DomainRecord(name=record_name(facts.domain), value=record_value(facts.challenge)),
            verified_at=facts.verified_at,
            checked_at=facts.checked_at,
            failed_checks=facts.failed_checks,
            joins_automatically=facts.joins_automatically,
            role=facts.role,
            created_at=facts.created_at,
            version=facts.version,
        )


class DomainsResponse(ResponseModel):
    """All domains that the organization has named, sorted by name."""

    data: list[DomainResponse]


class AddDomainRequest(RequestModel):
    """A domain that the organization says is its own."""

    domain: str = Field(min_length=1, max_length=253)
    """What stands after the @: `example.com`. Sub-domains are domains of their own."""


class UpdateDomainRequest(RequestModel):
    """What is sent is changed."""

    joins_automatically: bool = False
    """Whether people with a proven address of the domain become members by themselves."""
    role: RoleText = ""
    """As what; never `owner`, and nothing that the caller does not hold himself."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)
