"""Entries as the database has them, without what column types would make of them: any changed byte must show."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import NullType

from portico.audit.canonical import FIELDS, entry_bytes, leaf_of, plain
from portico.audit.models import AuditEntry

_RAW = NullType()
_ID = re.compile(r"[0-9a-f]{32}")


def raw(column: Any) -> ColumnElement[Any]:
    """Return a column whose value is what the driver gives."""
    return type_coerce(column, _RAW)


ENTRY_COLUMNS = tuple(raw(getattr(AuditEntry, name)).label(name) for name in ("seq", "mac", *FIELDS))
"""What a `StoredEntry` is made of; first in a row."""
_WIDTH = len(ENTRY_COLUMNS)
_PLAIN = frozenset({str, int, type(None)})


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry in its canonical form; None where the row has something that no entry has."""

    seq: Any
    mac: Any
    values: tuple[Any, ...]
    canonical: bytes | None
    is_whole: bool
    """Whether its parts are of the kinds that an entry has; on SQLite anything may stand anywhere."""

    @property
    def id(self) -> Any:
        """Return the id as 32 digits."""
        return self.values[2]

    @property
    def organization_id(self) -> Any:
        """Return the organization as 32 digits."""
        return self.values[3]

    @property
    def is_signed(self) -> bool:
        """Tell whether it should have a MAC."""
        return bool(self.values[0] != 0)

    @property
    def commitment(self) -> Any:
        """Return the commitment to the personal fields, in hexadecimal."""
        return self.values[-1]

    @property
    def leaf(self) -> bytes:
        """Return the digest that is chained; of no use for what is not whole."""
        return leaf_of(self.canonical, self.seq, self.mac) if self.canonical else b""

    @property
    def fields(self) -> dict[str, Any]:
        """Return the canonical values by name."""
        return dict(zip(FIELDS, self.values, strict=True))


def stored_entry(row: Sequence[Any]) -> StoredEntry:
    """Return the entry of a row that begins with `ENTRY_COLUMNS`."""
    seq, mac, *values = row[:_WIDTH]
    try:
        known = tuple([each if type(each) in _PLAIN else plain(each) for each in values])
    except TypeError:
        return StoredEntry(seq, mac, tuple(values), None, is_whole=False)
    is_whole = (
        (mac is None or isinstance(mac, bytes))
        and _is_id(known[2])
        and (known[3] is None or _is_id(known[3]))
    )
    return StoredEntry(seq, mac, known, entry_bytes(known), is_whole)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


@asynccontextmanager
async def lenient(session: AsyncSession) -> AsyncIterator[None]:
    """Read also texts that are not UTF-8 any more (SQLite); otherwise one spoiled byte would be an error."""
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    if not hasattr(driver, "text_factory"):
        yield
        return
    usual = driver.text_factory
    driver.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = usual
