"""The good cases of a code and of a refresh token in one trip each: all is written, or nothing.

What the unit's way asks one after another stands here as one condition. Where it does not hold, for whatever reason,
no row is found and nothing was written: then the unit's way is gone, which finds out why and ends what has to end.

Who ends a grant ends its families in the same transaction. So the family's row decides a refresh, as it does for
sessions (`portico.sessions.repositories.refreshes`), and the grant's own row decides a code:

    the ending held the row before us     we wait for its commit, look again, find `ended_at`, write nothing
    we held the row before the ending     it waits for us, then ends what we wrote
    the ending was committed before       it is in our snapshot
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    String,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from portico.db.trips import Trip, Trips
from portico.oauth.models import OAuthGrant
from portico.oauth.repositories.grants import FACTS, WORKS, FoundGrant, found_grant
from portico.tokens.models import TokenFamily, rotation
from portico.tokens.refresh_format import KEY_VERSION

_GRANT = cast("Table", OAuthGrant.__table__)
_FAMILY = cast("Table", TokenFamily.__table__)

_NOW: ColumnElement[datetime] = bindparam("now", type_=_GRANT.c.created_at.type)
_CLIENT: ColumnElement[UUID] = bindparam("client", type_=_GRANT.c.client_key.type)
_REDIRECT: ColumnElement[str] = bindparam("redirect", type_=String())
_CHALLENGE: ColumnElement[str] = bindparam("verified", type_=String())

_KEPT = and_(
    _GRANT.c.client_key == _CLIENT,
    WORKS,
    or_(_GRANT.c.expires_at.is_(None), _GRANT.c.expires_at > _NOW),
    _GRANT.c.jkt.is_(None),
    _GRANT.c.x5t.is_(None),
)
"""The grant is this client's, works, and is bound to no key: then nothing more has to be shown."""


def _for_one_of_them_postgresql() -> ColumnElement[bool]:
    """The grant is for one resource at most, and that is one of those that were given (a JSON array)."""
    known = bindparam("known", type_=JSONB())
    return and_(func.jsonb_array_length(_GRANT.c.resources) <= 1, known.contains(_GRANT.c.resources))


def _for_one_of_them_sqlite() -> ColumnElement[bool]:
    known = func.json_each(bindparam("known", type_=_GRANT.c.resources.type)).table_valued(
        "value", name="known"
    )
    granted = func.json_each(_GRANT.c.resources).table_valued("value", name="granted")
    foreign = select(granted.c.value).where(granted.c.value.not_in(select(known.c.value)))
    return and_(func.json_array_length(_GRANT.c.resources) <= 1, ~exists(foreign))


_SPEND = (
    update(_GRANT)
    .where(
        _GRANT.c.code_hash == bindparam("hash", type_=_GRANT.c.code_hash.type),
        _GRANT.c.code_spent_at.is_(None),
        _GRANT.c.code_expires_at > _NOW,
        _KEPT,
        _GRANT.c.challenge.is_not_distinct_from(_CHALLENGE),
        or_(_REDIRECT.is_(None), _GRANT.c.redirect_uri.is_(None), _GRANT.c.redirect_uri == _REDIRECT),
    )
    .values(code_spent_at=_NOW, last_used_at=_NOW)
)


def _line(grant_id: ColumnElement[Any], scope: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """Return the columns of a grant's new line of refresh tokens; as `TokenFamilies.start` writes it."""
    return {
        "id": bindparam("family", type_=_FAMILY.c.id.type),
        "session_id": null(),
        "grant_id": grant_id,
        "client_id": bindparam("holder", type_=_FAMILY.c.client_id.type),
        "scope": scope,
        "key_version": literal(KEY_VERSION),
        "counter": literal(0),
        "created_at": _NOW,
        "rotated_at": _NOW,
        "idle_expires_at": bindparam("idle_until", type_=_NOW.type),
        "absolute_expires_at": bindparam("absolute_until", type_=_NOW.type),
        "ended_at": null(),
        "ended_reason": null(),
    }


def _exchange() -> Trip:
    spent = _SPEND.where(_for_one_of_them_postgresql()).returning(*FACTS).cte("spent")
    line = _line(spent.c.id, spent.c.scope)
    begun = insert(_FAMILY).from_select(list(line), select(*line.values())).cte("begun")
    spend = _SPEND.where(_for_one_of_them_sqlite()).returning(
        _GRANT.c.id.label("spent_id"), _GRANT.c.scope.label("spent_scope")
    )
    spent_id = bindparam("spent_id", type_=_GRANT.c.id.type)
    carried = _line(spent_id, bindparam("spent_scope", type_=_GRANT.c.scope.type))
    return Trip(
        postgresql=select(*spent.c).add_cte(begun),
        sqlite=[
            spend,
            insert(_FAMILY).values(**carried).returning(_FAMILY.c.id),
            select(*FACTS).where(_GRANT.c.id == spent_id),
        ],
    )


def _refresh() -> Trip:
    def rotated(for_one_of_them: ColumnElement[bool]) -> Any:
        grant = select(_GRANT.c.id).where(_GRANT.c.id == _FAMILY.c.grant_id, _KEPT, for_one_of_them)
        return rotation().where(exists(grant)).returning(_FAMILY.c.grant_id)

    family = rotated(_for_one_of_them_postgresql()).cte("rotated")
    return Trip(
        postgresql=select(*FACTS).join(family, family.c.grant_id == _GRANT.c.id),
        sqlite=[
            rotated(_for_one_of_them_sqlite()),
            select(*FACTS).where(_GRANT.c.id == bindparam("grant_id", type_=_GRANT.c.id.type)),
        ],
    )


_EXCHANGE, _REFRESH = _exchange(), _refresh()


class TokenTrips:
    """Exchanges codes and refresh tokens, each in one trip, in a transaction of its own."""

    def __init__(self, trips: Trips) -> None:
        self._trips = trips

    async def exchange_code(
        self,
        code_hash: bytes,
        client_key: UUID,
        *,
        redirect_uri: str | None,
        challenge: str | None,
        family_id: UUID,
        known: Sequence[str],
        now: datetime,
        idle_until: datetime,
        absolute_until: datetime,
    ) -> FoundGrant | None:
        """Spend a code that fits all of this and begin its line; `challenge` is that of the verifier shown."""
        values = {
            "hash": code_hash,
            "client": client_key,
            "redirect": redirect_uri,
            "verified": challenge,
            "family": family_id,
            "holder": str(client_key),
            "known": known,
            "now": now,
            "idle_until": idle_until,
            "absolute_until": absolute_until,
        }
        return _found(await self._trips.run(_EXCHANGE, values))

    async def refresh(
        self,
        family_id: UUID,
        presented: int,
        client_key: UUID,
        *,
        known: Sequence[str],
        now: datetime,
        idle_until: datetime,
    ) -> FoundGrant | None:
        """Rotate if `presented` is the live leaf of a grant that is this client's and for a `known` resource."""
        values = {
            "family": family_id,
            "presented": presented,
            "client": client_key,
            "known": known,
            "now": now,
            "idle_until": idle_until,
        }
        return _found(await self._trips.run(_REFRESH, values))


def _found(row: Any) -> FoundGrant | None:
    return None if row is None else found_grant(row)
