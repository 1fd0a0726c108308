"""Lists: by page with a total, or by cursor, which stays as fast at any depth.

A list's query derives from `PageQuery` and adds `sort_by`, an enumeration of what may be sorted by, and its filters:

    class UserListQuery(PageQuery):
        sort_by: UserSort = UserSort.CREATED_AT
        status: UserStatus | None = None

`fetch_page` runs the statement. A cursor is the place of the last row in the order, sealed and bound to route, order
and filters: it cannot be read, changed, or carried to another list (CVE-2026-33503).
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, func, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute

from portico.core.crypto import RootSecret, SealBroken, b64decode, b64encode, digest
from portico.core.entropy import Entropy
from portico.http.errors import CursorInvalid
from portico.http.schemas import QueryModel, ResponseModel
from portico.runtime import Runtime

MAX_PAGE_SIZE = 100
MAX_PAGE = 10_000
MAX_CURSOR = 1_024
CURSOR_PURPOSE = "cursor"
_PLACE = frozenset({"page", "page_size", "cursor"})

type Position = tuple[Any, Any]
type Sortable = ColumnElement[Any] | QueryableAttribute[Any]


class SortOrder(StrEnum):
    """Which end comes first."""

    ASC = "asc"
    DESC = "desc"


class PageQuery(QueryModel):
    """What every list takes. With `cursor`, `page` is not heard."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    """Which page, from 1."""
    page_size: int = Field(20, ge=1, le=MAX_PAGE_SIZE)
    """How many a page."""
    sort_order: SortOrder = SortOrder.ASC
    """Which end comes first."""
    q: str | None = Field(None, min_length=1, max_length=200)
    """Words to search for."""
    cursor: str | None = Field(None, min_length=1, max_length=MAX_CURSOR)
    """`next_cursor` of the answer before; the other parameters must be the same."""

    @property
    def descending(self) -> bool:
        """Tell whether the largest comes first."""
        return self.sort_order is SortOrder.DESC

    def binding(self, route: str) -> bytes:
        """Return what a cursor of this list is bound to: route, order, search and filters."""
        asked = self.model_dump(mode="json", exclude=set(_PLACE))
        return digest(json.dumps([route, asked], sort_keys=True))


class Pagination(ResponseModel):
    """Where the rows stand in the whole list. `total`, `page` and `total_pages` are null when asked by cursor."""

    total: int | None
    page: int | None
    page_size: int
    total_pages: int | None
    has_next: bool
    has_prev: bool
    next_cursor: str | None


class Page[T](ResponseModel):
    """One page of a list."""

    data: list[T]
    pagination: Pagination


@dataclass(frozen=True, slots=True)
class Slice[R]:
    """The rows of one page, as the database gave them."""

    rows: Sequence[R]
    pagination: Pagination

    def to_page[T](self, make: Callable[[R], T]) -> Page[T]:
        """Return the page with `make` applied to each row."""
        return Page[Any](data=[make(row) for row in self.rows], pagination=self.pagination)


@dataclass(frozen=True, slots=True)
class Ordering:
    """A total order: by `column`, which is never null (wrap it in `coalesce`), then by `key`, which is unique."""

    column: Sortable
    key: Sortable
    descending: bool = False

    def sorted(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement in this order."""
        if self.descending:
            return statement.order_by(self.column.desc(), self.key.desc())
        return statement.order_by(self.column.asc(), self.key.asc())

    def after(self, statement: Select[Any], position: Position) -> Select[Any]:
        """Return the statement without the rows up to `position`; one comparison of rows, which an index serves."""
        here = tuple_(self.column, self.key)
        there = tuple_(literal(position[0], self.column.type), literal(position[1], self.key.type))
        return statement.where(here < there if self.descending else here > there)


class Cursors:
    """Seals places in lists, and opens them again."""

    def __init__(self, secret: RootSecret, entropy: Entropy) -> None:
        self._secret = secret
        self._entropy = entropy

    @classmethod
    def of(cls, runtime: Runtime) -> "Cursors":
        """Return the process's cursors."""
        return cls(runtime.secret, runtime.entropy)

    def seal(self, position: Position, binding: bytes) -> str:
        """Return the cursor of `position` in the list that `binding` names."""
        plain = json.dumps([_written(value) for value in position]).encode()
        return b64encode(self._secret.seal(CURSOR_PURPOSE, plain, context=binding, entropy=self._entropy))

    def open(self, cursor: str, binding: bytes) -> Position:
        """Return the position.

        Raises:
            CursorInvalid: changed, or of another list, order or filter (400).
        """
        try:
            plain = self._secret.open(CURSOR_PURPOSE, b64decode(cursor), context=binding)
        except (SealBroken, ValueError):
            raise CursorInvalid from None
        column, key = (_read(value) for value in json.loads(plain))
        return column, key


async def fetch_page(
    session: AsyncSession,
    statement: Select[Any],
    *,
    query: PageQuery,
    ordering: Ordering,
    cursors: Cursors,
    route: str,
    count: Callable[[], Awaitable[int]] | None = None,
) -> Slice[Any]:
    """Return the page that `query` asks for of what `statement` selects, in `ordering`.

    A row is what the statement selects: the one entity or column, else the row of several. `route` names the list
    (`GET /admin/users`). With a cursor nothing is counted; `count` counts a long list more cheaply than by reading
    what the statement selects.

    Raises:
        CursorInvalid: the cursor belongs elsewhere (400).
    """
    binding = query.binding(route)
    width = len(statement.column_descriptions)
    placed = ordering.sorted(statement).add_columns(ordering.column, ordering.key).limit(query.page_size + 1)
    total = None
    if query.cursor is not None:
        placed = ordering.after(placed, cursors.open(query.cursor, binding))
    else:
        placed = placed.offset((query.page - 1) * query.page_size)
        total = await (count() if count is not None else count_rows(session, statement))
    found = (await session.execute(placed)).all()
    rows, more = found[: query.page_size], len(found) > query.page_size
    pagination = Pagination(
        total=total,
        page=query.page if total is not None else None,
        page_size=query.page_size,
        total_pages=None if total is None else -(-total // query.page_size),
        has_next=more,
        has_prev=query.cursor is not None or query.page > 1,
        next_cursor=cursors.seal((rows[-1][-2], rows[-1][-1]), binding) if more else None,
    )
    return Slice([row[0] if width == 1 else row[:width] for row in rows], pagination)


async def count_rows(session: AsyncSession, statement: Select[Any]) -> int:
    """Return how many rows the statement selects."""
    counted = statement.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    return int((await session.execute(counted)).scalar_one())


def _written(value: Any) -> list[Any]:
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    if isinstance(value, UUID):
        return ["u", value.hex]
    return ["v", value]


def _read(written: list[Any]) -> Any:
    kind, value = written
    if kind == "t":
        return datetime.fromisoformat(value)
    return UUID(value) if kind == "u" else value
