"""SQL of quotas: uses of a day are taken from the row before they are made, so that all processes share one count."""

from datetime import date
from typing import cast
from uuid import UUID

from sqlalchemy import Date, Integer, Table, Uuid, bindparam, case, update

from portico.api_keys.models import ApiKey
from portico.db.trips import Trip, Trips

_KEY = cast("Table", ApiKey.__table__)
_DAY = bindparam("day", type_=Date())
_COUNT = bindparam("count", type_=Integer())
# Where the day has begun elsewhere, a clock that is behind takes from that one.
_USED = case((_KEY.c.used_on >= _DAY, _KEY.c.used_today), else_=0)

_TAKEN = (
    update(_KEY)
    .where(
        _KEY.c.id == bindparam("key_id", type_=Uuid()),
        _KEY.c.quota_per_day >= _USED + _COUNT,
    )
    .values(used_today=_USED + _COUNT, used_on=case((_KEY.c.used_on > _DAY, _KEY.c.used_on), else_=_DAY))
    .returning(_KEY.c.used_today)
)
_TAKE = Trip(postgresql=_TAKEN, sqlite=[_TAKEN])


class QuotaTrips:
    """Takes uses, each time in one trip."""

    def __init__(self, trips: Trips) -> None:
        self._trips = trips

    async def take(self, key_id: UUID, day: date, count: int) -> bool:
        """Take some uses of a day; False if the quota has not so many left. Past the row's version."""
        return await self._trips.run(_TAKE, {"key_id": key_id, "day": day, "count": count}) is not None
