"""The good case of a refresh in one trip: rotate the family, renew its session, both or neither.

The first statement is the family's compare-and-set, which also asks whether session and person are good; the second
finds its row because the first did. On PostgreSQL both are one statement at READ COMMITTED, where a row that another
transaction holds is waited for and looked at anew, but what was asked *beside* it (the session, the person) is still
answered as of the statement's beginning. That is enough, because whoever ends a session, for whatever reason, ends its
family in the same transaction, and first (`SessionEnding`). The family's row is the point at which it is decided:

    the ending held the row before us     we wait for its commit, look again, find `ended_at`, write nothing
    we held the row before the ending     it waits for us, then ends the family with the child in it
    the ending was committed before       it is in our snapshot

A session in which somebody else acts is never refreshed here: whether it is good is asked of the actor, too, and such
sessions live for half an hour (`SessionTokens`).

Somebody who changes only a session or a person by hand, past the services, is heard from the next statement on.
SQLite has one writer, so nothing runs beside it.
"""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, exists, select, update

from portico.db.trips import Trip, Trips
from portico.sessions.models import Session
from portico.sessions.repositories.sessions import (
    FACTS,
    IDLE_UNTIL,
    NOW,
    SESSION_ID,
    LiveSession,
    is_active,
    is_live,
    live_session_of,
)
from portico.tokens.models import TokenFamily, rotation
from portico.users.models import User

_FAMILY = cast("Table", TokenFamily.__table__)
_SESSION = cast("Table", Session.__table__)
_USER = cast("Table", User.__table__)

_ROTATE = (
    rotation()
    .where(
        exists(
            select(_SESSION.c.id)
            .join(_USER, _USER.c.id == _SESSION.c.user_id)
            .where(
                _SESSION.c.id == _FAMILY.c.session_id,
                _SESSION.c.actor_id.is_(None),
                is_live(NOW),
                is_active(),
            )
        )
    )
    .returning(_FAMILY.c.session_id)
)
_ROTATED = _ROTATE.cte("rotated")
_RENEW = update(_SESSION).values(last_seen_at=NOW, idle_expires_at=IDLE_UNTIL).returning(*FACTS)

_REFRESH = Trip(
    postgresql=_RENEW.where(_SESSION.c.id == _ROTATED.c.session_id),
    sqlite=[_ROTATE, _RENEW.where(_SESSION.c.id == SESSION_ID)],
)


class RefreshTrips:
    """Refreshes sessions in one trip, in a transaction of their own."""

    def __init__(self, trips: Trips) -> None:
        self._trips = trips

    async def refresh(
        self, family_id: UUID, presented: int, *, now: datetime, idle_until: datetime
    ) -> LiveSession | None:
        """Rotate and renew if `presented` is the live leaf of a session that is good; None: nothing was written."""
        values = {"family": family_id, "presented": presented, "now": now, "idle_until": idle_until}
        row = await self._trips.run(_REFRESH, values)
        return None if row is None else live_session_of(row, frozenset())
