"""Applications that work in an organization, and what it says of them."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.schemas.connections import PageConnection
from portico.oauth.services.organization_rules import RuledClient
from portico.oauth.types import Admission, ClientDefault, ClientSource, ClientVerdict


class RuledClientResponse(ResponseModel):
    """An application that works in an organization, or of which something was said there."""

    client_key: UUID
    client_id: str
    source: ClientSource
    name: str | None
    verdict: ClientVerdict | None
    """What was said of it; null: nothing."""
    admission: Admission
    """Whether it is let in, by what was said of it or by the organization's default."""
    asked_by: UUID | None
    """The member who asked for it."""
    decided_by: UUID | None
    people: int
    """How many members have connected it there."""
    connected_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, client: RuledClient) -> Self:
        """Return an application as the organization's administrators see it."""
        facts = client.facts
        return cls(
            client_key=facts.client_key,
            client_id=facts.client_id,
            source=facts.source,
            name=facts.name,
            verdict=facts.verdict,
            admission=client.admission,
            asked_by=facts.asked_by,
            decided_by=facts.decided_by,
            people=facts.people,
            connected_at=facts.connected_at,
            last_used_at=facts.last_used_at,
        )


class OrganizationConnectionsResponse(ResponseModel):
    """What an organization says of applications: of all, and of those that it knows, open questions first."""

    default: ClientDefault
    data: list[RuledClientResponse]


class SetClientDefaultRequest(RequestModel):
    """Say what happens to applications of which nothing was said."""

    default: Annotated[ClientDefault, Field(strict=False)]


class RuleClientRequest(RequestModel):
    """Let an application in, or keep it out."""

    verdict: Literal["allowed", "denied"]

    @property
    def said(self) -> ClientVerdict:
        """Return the word."""
        return ClientVerdict(self.verdict)


class ClientDefaultResponse(ResponseModel):
    """What happens to applications of which nothing was said."""

    default: ClientDefault


class PageVerdict(PageConnection):
    """What a button says of an application; nothing: forget what was said."""

    verdict: Literal["allowed", "denied"] | None = None

    @property
    def said(self) -> ClientVerdict | None:
        """Return the word."""
        return ClientVerdict(self.verdict) if self.verdict else None
