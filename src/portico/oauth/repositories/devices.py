"""SQL of devices that wait for their approval. The row is locked while its device asks: it gets tokens once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portico.db.repositories import Repository
from portico.oauth.models import OAuthDevice
from portico.oauth.types import DeviceState

_DEVICE = cast("Table", OAuthDevice.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """A device authorization as the database has it."""

    id: UUID
    client_key: UUID
    state: DeviceState
    scope: str
    resources: tuple[str, ...]
    details: tuple[dict[str, Any], ...]
    client_address: str | None
    grant_id: UUID | None
    interval: timedelta
    polled_at: datetime | None
    created_at: datetime
    expires_at: datetime


class DeviceRepository(Repository[OAuthDevice]):
    """The devices."""

    async def add_device(self, **values: Any) -> bool:
        """Write one row; False if another one has its user code."""
        connection = await self.session.connection()
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(_DEVICE).values(values).on_conflict_do_nothing().returning(_DEVICE.c.id)
        return (await connection.execute(statement)).first() is not None

    async def find_waiting(self, user_code_hash: bytes, now: datetime) -> FoundDevice | None:
        """Return the device of this user code, if it still waits."""
        query = select(_DEVICE).where(
            _DEVICE.c.user_code_hash == user_code_hash,
            _DEVICE.c.state == DeviceState.PENDING,
            _DEVICE.c.expires_at > now,
        )
        return await self._find(query)

    async def find_for_update(self, device_hash: bytes) -> FoundDevice | None:
        """Return the device of this device code, locked until the transaction ends."""
        return await self._find(select(_DEVICE).where(_DEVICE.c.device_hash == device_hash).with_for_update())

    async def decide(
        self, device_id: UUID, now: datetime, state: DeviceState, *, grant_id: UUID | None = None
    ) -> bool:
        """Write the answer to a device that waits; False if somebody was faster, or it is too late."""
        statement = (
            update(_DEVICE)
            .where(
                _DEVICE.c.id == device_id,
                _DEVICE.c.state == DeviceState.PENDING,
                _DEVICE.c.expires_at > now,
            )
            .values(state=state, grant_id=grant_id)
            .returning(_DEVICE.c.id)
        )
        return (await self.session.execute(statement)).first() is not None

    async def note_question(self, device_id: UUID, now: datetime, interval: timedelta) -> None:
        """Note when a device asked, and how long it has to wait from now on."""
        seconds = int(interval.total_seconds())
        await self.session.execute(
            update(_DEVICE).where(_DEVICE.c.id == device_id).values(polled_at=now, interval_seconds=seconds)
        )

    async def spend(self, device_id: UUID) -> None:
        """Note that a device has its tokens; the caller has locked the row."""
        await self.session.execute(
            update(_DEVICE).where(_DEVICE.c.id == device_id).values(state=DeviceState.SPENT)
        )

    async def remove_expired(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` devices that expired before `before`; return how many went."""
        oldest = select(_DEVICE.c.id).where(_DEVICE.c.expires_at < before).limit(limit)
        statement = delete(_DEVICE).where(_DEVICE.c.id.in_(oldest)).returning(_DEVICE.c.id)
        return len((await self.session.execute(statement)).all())

    async def _find(self, query: Select[Any]) -> FoundDevice | None:
        row = (await self.session.execute(query)).one_or_none()
        if row is None:
            return None
        return FoundDevice(
            id=row.id,
            client_key=row.client_key,
            state=row.state,
            scope=row.scope,
            resources=tuple(row.resources),
            details=tuple(row.details),
            client_address=row.client_address,
            grant_id=row.grant_id,
            interval=timedelta(seconds=row.interval_seconds),
            polled_at=row.polled_at,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
