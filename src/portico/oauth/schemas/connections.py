"""Applications that a person has connected."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.services.connections import Connection
from portico.oauth.types import ClientSource


class ConnectionResponse(ResponseModel):
    """An application that the caller has connected, and all that he allowed it."""

    client_key: UUID
    client_id: str
    source: ClientSource
    name: str | None
    client_uri: str | None
    scopes: list[str]
    resources: list[str]
    """The APIs that it may ask tokens for."""
    organization_ids: list[UUID]
    """In which organizations it works; it may work in the person's own name only besides."""
    connected_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return a connection as its person sees it."""
        return cls(
            client_key=connection.client_key,
            client_id=connection.client_id,
            source=connection.source,
            name=connection.metadata.client_name,
            client_uri=connection.metadata.client_uri,
            scopes=list(connection.scopes),
            resources=list(connection.resources),
            organization_ids=sorted(connection.organizations),
            connected_at=connection.connected_at,
            last_used_at=connection.last_used_at,
        )


class ConnectionsResponse(ResponseModel):
    """Every connection, the last connected first."""

    data: list[ConnectionResponse]


class PageConnection(RequestModel):
    """Of which application a button speaks."""

    client_key: UUID = Field(strict=False)
