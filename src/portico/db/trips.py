"""A short transaction in one trip to the database, for the few writes that are counted in microseconds.

A `Unit` costs a trip for its begin, one for each statement and one for its commit, and the work of the ORM's session.
Where the good case of a use case is one or two statements, a `Trip` does all of it at once, or nothing at all: then
the use case falls back to its unit, which finds out why. The statements are Core statements, compiled once, with the
binds and results of their columns' types; only the way to the driver is shorter. The ways are
`portico.db.postgres_trips` and `portico.db.sqlite_trips`.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect, Select, Update
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

from portico.db.tenancy.errors import TenantRefused

type Returning = (
    Select[Any]
    | ReturningUpdate[Any]
    | ReturningInsert[Any]
    | ReturningDelete[Any]
    | PostgresInsert
    | SqliteInsert
    | Update
)
type Processor = Callable[[Any], Any]


class Prepared:
    """A statement compiled for one dialect: its text, and how values go in and rows come out."""

    def __init__(self, statement: Returning, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        if getattr(compiled, "tenants", None):
            raise TenantRefused("a trip knows no organization: use a unit of work")
        self.sql = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in self._names}
        self._writers = {name: type_.bind_processor(dialect) for name, type_ in types.items()}
        self._constants = {
            name: self._written(name, compiled.binds[name].effective_value)
            for name in self._names
            if not compiled.binds[name].required
        }
        columns = list(statement.exported_columns)
        self._readers = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]
        self.columns = tuple(str(column.key) for column in columns)
        make_row: Any = namedtuple  # noqa: PYI024 - the fields are the statement's
        self._row = make_row("TripRow", self.columns)

    def arguments(self, values: Mapping[str, Any], carried: Mapping[str, Any] | None = None) -> list[Any]:
        """Return what the driver is given; `carried` is raw, as the driver returned it from an earlier statement."""
        return [self._argument(name, values, carried or {}) for name in self._names]

    def row(self, raw: Sequence[Any]) -> Any:
        """Return a driver's row as a named tuple of Python values."""
        return self._row._make(
            value if read is None else read(value) for read, value in zip(self._readers, raw, strict=True)
        )

    def _argument(self, name: str, values: Mapping[str, Any], carried: Mapping[str, Any]) -> Any:
        if name in values:
            return self._written(name, values[name])
        return self._constants[name] if name in self._constants else carried[name]

    def _written(self, name: str, value: Any) -> Any:
        write = self._writers[name]
        return value if write is None else write(value)


class Trip:
    """One short transaction, made once as a constant beside the statements of its repository.

    `postgresql` is one statement, its parts as common table expressions, that writes all or nothing. `sqlite` are
    statements in their order: each finds a row, whose columns the later ones may use as parameters by name, or
    everything is undone. Both return the row of the last part.
    """

    def __init__(self, *, postgresql: Returning, sqlite: Sequence[Returning]) -> None:
        self._postgresql = postgresql
        self._sqlite = sqlite
        self._prepared: dict[str, tuple[Prepared, ...]] = {}

    def prepared(self, dialect: Dialect) -> tuple[Prepared, ...]:
        """Return the statements for a dialect, compiled at the first call."""
        found = self._prepared.get(dialect.name)
        if found is None:
            statements = [self._postgresql] if dialect.name == "postgresql" else self._sqlite
            found = tuple(Prepared(statement, dialect) for statement in statements)
            self._prepared[dialect.name] = found
        return found


class Trips(Protocol):
    """The way to the database that `Database.trips` gives."""

    @property
    def dialect(self) -> Dialect:
        """Return the dialect that statements are compiled for."""
        ...

    async def run(self, trip: Trip, values: Mapping[str, Any]) -> Any | None:
        """Make a trip; return its row, durably committed, or None where a part found none and nothing was written.

        Failpoints: `db.trip.before_commit` and `db.trip.after_commit` stand before and behind it; between its
        statements there is no place to stop at.

        Raises:
            DatabaseBusy: no connection came free, or a lock was not given, in time (503).
            DatabaseAway: the database cannot be reached, or went away meanwhile (503).
        """
        ...
