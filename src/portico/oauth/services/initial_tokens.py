"""Initial access tokens: leave to register clients, given by an administrator to somebody (RFC 7591, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from portico.audit.services import record
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.oauth.models import OAuthInitialToken
from portico.oauth.repositories import InitialTokenRepository
from portico.oauth.types import INITIAL_ACCESS_TOKENS
from portico.runtime import Runtime

USUAL_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialToken:
    """A token as it is kept; `text` is there once, when it is made. `uses_left` is None where uses are not counted."""

    id: UUID
    name: str
    uses_left: int | None
    created_at: datetime
    expires_at: datetime
    text: str | None = field(default=None, repr=False)


class InitialTokens:
    """Makes, lists and revokes them."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def make_token(
        self,
        name: str,
        *,
        uses: int | None = None,
        lifetime: timedelta = USUAL_LIFETIME,
        actor: Principal | None,
    ) -> InitialToken:
        """Make a token that is good for so many registrations, or for any number while it lives."""
        text, now = INITIAL_ACCESS_TOKENS.make(self._runtime.entropy), self._runtime.clock.now()
        row = OAuthInitialToken(
            id=new_id(),
            token_hash=INITIAL_ACCESS_TOKENS.hash_of(text),
            name=name,
            uses_left=uses,
            created_by=actor.id if actor else None,
            created_at=now,
            expires_at=now + lifetime,
        )
        async with self._unit:
            InitialTokenRepository(self._unit.session).add(row)
            self._record("created", row.id, actor)
        return _view(row, text)

    async def list_tokens(self) -> Sequence[InitialToken]:
        """Return those that are still good, the newest first."""
        async with self._runtime.reads() as session:
            rows = await InitialTokenRepository(session).list_good(self._runtime.clock.now())
        return [_view(row) for row in rows]

    async def revoke_token(self, token_id: UUID, *, actor: Principal | None) -> bool:
        """Let nobody register with it any more; False if there is none that is good. Its clients stay."""
        async with self._unit:
            now = self._runtime.clock.now()
            is_revoked = await InitialTokenRepository(self._unit.session).revoke(token_id, now)
            if is_revoked:
                self._record("revoked", token_id, actor)
        return is_revoked

    def _record(self, act: str, token_id: UUID, actor: Principal | None) -> None:
        subject = ("oauth_initial_token", token_id)
        record(self._runtime, self._unit, f"oauth.initial_token.{act}", actor=actor, subject=subject)


def _view(row: OAuthInitialToken, text: str | None = None) -> InitialToken:
    return InitialToken(
        id=row.id,
        name=row.name,
        uses_left=row.uses_left,
        created_at=row.created_at,
        expires_at=row.expires_at,
        text=text,
    )
