"""What the token engines announce."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.messaging import Event
from portico.tokens.types import FamilyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenReused(Event):
    """Somebody presented a refresh token that was rotated away; its family is ended in the same transaction.

    Whoever owns the session or grant ends it too: thief and owner cannot be told apart (RFC 9700, section 4.14.2).
    """

    name: ClassVar[str] = "refresh_token.reused"

    family_id: FamilyId
    session_id: UUID | None
    grant_id: UUID | None
    client_id: str
    generations_behind: int
