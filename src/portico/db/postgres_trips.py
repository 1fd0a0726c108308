"""Trips on PostgreSQL: one statement, prepared by asyncpg, in a transaction of its own.

Sent past SQLAlchemy on a connection of the pool of writers: outside of an open transaction PostgreSQL commits each
statement by itself, so that begin, statement and commit are one round trip, and no cursor or session is made.
"""

from collections.abc import Mapping
from typing import Any, Never

import asyncpg
from sqlalchemy import Dialect, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from portico.core import failpoints
from portico.db.errors import DatabaseAway
from portico.db.trip_connections import TripConnections
from portico.db.trips import Trip
from portico.db.unit import translated

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class PostgresTrips:
    """Makes trips on the connections of one engine."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        """`most` is how many connections the engine's pool opens at all."""
        self._engine = engine
        self._connections = TripConnections(engine, most)

    @property
    def dialect(self) -> Dialect:
        """Return the dialect that statements are compiled for."""
        return self._engine.dialect

    async def run(self, trip: Trip, values: Mapping[str, Any]) -> Any | None:
        """Make a trip; see `Trips.run`."""
        [prepared] = trip.prepared(self.dialect)
        arguments = prepared.arguments(values)
        if failpoints.armed:
            await failpoints.reach("db.trip.before_commit")
        connection = await self._connected()
        try:
            rows = await connection.driver_connection.fetch(prepared.sql, *arguments)  # type: ignore[union-attr]
        except FAILURES as error:
            self._give_up(connection, error)
        except asyncpg.InternalClientError as error:  # the server's farewell was just being read
            connection.invalidate(error)
            raise DatabaseAway from error
        except BaseException:  # cancelled: what is on the wire belongs to nobody
            connection.invalidate()
            raise
        finally:
            await self._connections.give_back(connection)
        if failpoints.armed:
            await failpoints.reach("db.trip.after_commit")
        return prepared.row(rows[0]) if rows else None

    async def _connected(self) -> PoolProxiedConnection:
        try:
            return await self._connections.take()
        except (PoolTimeout, DBAPIError, OSError) as error:
            raise translated(error) from error
        except (
            self._driver.Error
        ) as error:  # while a server starts or stops, and unlike others it comes unwrapped
            raise translated(self._wrapped(error)) from error

    def _give_up(self, connection: PoolProxiedConnection, error: Exception) -> Never:
        """Raise the product's error for the driver's, as if the statement had gone through SQLAlchemy."""
        dialect = self.dialect
        try:
            connection.dbapi_connection._handle_exception(error)  # type: ignore[union-attr]  # noqa: SLF001
        except self._driver.Error as mapped:
            is_lost = dialect.is_disconnect(mapped, connection.dbapi_connection, None)
            if is_lost:
                connection.invalidate(mapped)
            raise translated(self._wrapped(mapped, is_lost=is_lost)) from error
        except OSError as unreachable:
            connection.invalidate(unreachable)
            raise translated(unreachable) from error
        raise error

    @property
    def _driver(self) -> Any:
        return self.dialect.loaded_dbapi

    def _wrapped(self, error: Exception, *, is_lost: bool = False) -> BaseException:
        """Return SQLAlchemy's error around one of its driver's."""
        return DBAPIError.instance(
            None, None, error, self._driver.Error, hide_parameters=True,
            connection_invalidated=is_lost, dialect=self.dialect,
        )  # fmt: skip
