"""Every way to read: what each returns inside one organization, and that none works outside of all."""
# ruff: noqa: S608 - the name is that of the table under test

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sqlalchemy import and_, exists, func, literal, select, text, true, union_all
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import aliased, make_transient_to_detached, selectinload, undefer

from portico.db.tenancy import TenantError
from portico.db.unit import DatabaseSession
from portico.testing.isolation.scenes import OWN_ROWS, Scene

type Read = Callable[[Scene, DatabaseSession], Awaitable[Any]]


async def _entities(scene: Scene, session: DatabaseSession) -> Any:
    return scene.keys_of(await session.scalars(select(scene.model)))


async def _entities_streamed(scene: Scene, session: DatabaseSession) -> Any:
    found = await session.stream_scalars(select(scene.model).execution_options(yield_per=2))
    return scene.keys_of([row async for row in found])


async def _columns(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.key)))


async def _named_foreign(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.key).where(scene.model.organization_id == scene.foreign)))


async def _keys_known(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.key).where(scene.key.in_(scene.foreign_keys))))


async def _core_table(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.table.c[scene.key.key])))


async def _core_alias(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.table.alias("other").c[scene.key.key])))


async def _alias(scene: Scene, session: DatabaseSession) -> Any:
    return scene.keys_of(await session.scalars(select(aliased(scene.model))))


async def _subquery(scene: Scene, session: DatabaseSession) -> Any:
    inner = select(scene.model).subquery()
    return scene.keys_of(await session.scalars(select(aliased(scene.model, inner))))


async def _cte(scene: Scene, session: DatabaseSession) -> Any:
    inner = select(scene.key.label("found")).cte("inner_rows")
    return list(await session.scalars(select(inner.c.found)))


async def _recursive_cte(scene: Scene, session: DatabaseSession) -> Any:
    first = select(scene.key.label("found"), literal(0).label("depth")).cte("deep", recursive=True)
    other = aliased(scene.model)
    deeper = select(getattr(other, scene.key.key), first.c.depth + 1).join(first, first.c.depth < 1)
    return list(await session.scalars(select(first.union_all(deeper).c.found).distinct()))


async def _union(scene: Scene, session: DatabaseSession) -> Any:
    both = union_all(select(scene.key), select(scene.table.c[scene.key.key])).subquery()
    return list(await session.scalars(select(both.c[0]).distinct()))


async def _in_subquery(scene: Scene, session: DatabaseSession) -> Any:
    inner = select(scene.table.c[scene.key.key])
    return list(await session.scalars(select(scene.key).where(scene.key.in_(inner))))


async def _self_join(scene: Scene, session: DatabaseSession) -> Any:
    other = aliased(scene.model)
    query = select(getattr(other, scene.key.key)).select_from(scene.model).join(other, true())
    return list(await session.scalars(query.distinct()))


async def _outer_join(scene: Scene, session: DatabaseSession) -> Any:
    other = aliased(scene.model)
    query = select(getattr(other, scene.key.key)).select_from(scene.model).outerjoin(other, true())
    return list(await session.scalars(query.distinct()))


async def _locked(scene: Scene, session: DatabaseSession) -> Any:
    return list(await session.scalars(select(scene.key).with_for_update()))


async def _deferred(scene: Scene, session: DatabaseSession) -> Any:
    return scene.keys_of(await session.scalars(select(scene.model).options(undefer("*"))))


async def _relationships(scene: Scene, session: DatabaseSession) -> Any:
    """Load what hangs on the rows, and from there back to the rows where a relationship leads back."""
    found: list[Any] = []
    for way in scene.mapper.relationships:
        options = [selectinload(way.class_attribute)]
        options += [
            selectinload(way.class_attribute).selectinload(back.class_attribute)
            for back in way.mapper.relationships
            if back.mapper is scene.mapper
        ]
        found += scene.keys_of(await session.scalars(select(scene.model).options(*options)))
        session.expunge_all()
    return list(dict.fromkeys(found)) or await _columns(scene, session)


async def _count(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(func.count()).select_from(scene.model))


async def _count_of_key(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(func.count(scene.key)))


async def _count_by_condition(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(func.count()).where(scene.key.is_not(None)))


async def _count_in_core(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(func.count()).select_from(scene.table))


async def _count_in_scalar_subquery(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(select(func.count(scene.key)).scalar_subquery()))


async def _windowed_count(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(func.count(scene.key).over()).limit(1))


async def _foreign_get(scene: Scene, session: DatabaseSession) -> Any:
    return await session.get(scene.model, scene.foreign_keys[0])


async def _foreign_get_again(scene: Scene, session: DatabaseSession) -> Any:
    return await session.get(scene.model, scene.foreign_keys[0], populate_existing=True)


async def _foreign_exists(scene: Scene, session: DatabaseSession) -> Any:
    is_there = exists().where(scene.key == scene.foreign_keys[0])
    return await session.scalar(select(literal(1)).where(is_there))


async def _foreign_exists_in_core(scene: Scene, session: DatabaseSession) -> Any:
    column = scene.table.c[scene.key.key]
    return await session.scalar(
        select(literal(1)).where(select(column).where(column == scene.foreign_keys[0]).exists())
    )


async def _foreign_from_own(scene: Scene, session: DatabaseSession) -> Any:
    """Reach the foreign row from an own one, by a join whose condition names it."""
    other = aliased(scene.model)
    key = getattr(other, scene.key.key)
    query = select(key).select_from(scene.model)
    return await session.scalar(query.join(other, and_(key == scene.foreign_keys[0], true())).limit(1))


async def _foreign_refreshed(scene: Scene, session: DatabaseSession) -> Any:
    """Make an object with a guessed key look loaded, and ask for the rest of it."""
    row = scene.model(**{scene.key.key: scene.foreign_keys[0]})
    make_transient_to_detached(row)
    session.add(row)
    try:
        await session.refresh(row)
    except InvalidRequestError:  # there is no such row
        return None
    finally:
        session.expunge(row)
    return row


async def _text(scene: Scene, session: DatabaseSession) -> Any:
    return (await session.execute(text("SELECT * FROM " + scene.table.name))).all()


async def _text_of_columns(scene: Scene, session: DatabaseSession) -> Any:
    query = text("SELECT * FROM " + scene.table.name.upper()).columns(*scene.table.c)
    return (await session.scalars(select(scene.model).from_statement(query))).all()


async def _text_inside(scene: Scene, session: DatabaseSession) -> Any:
    return await session.scalar(select(text("(SELECT count(*) FROM " + scene.table.name + ")")))


async def _driver_sql(scene: Scene, session: DatabaseSession) -> Any:
    connection = await session.connection()
    return (await connection.exec_driver_sql("SELECT * FROM " + scene.table.name)).all()


ROWS: dict[str, Read] = {
    "the model": _entities,
    "the model, streamed": _entities_streamed,
    "columns": _columns,
    "an alias": _alias,
    "a subquery": _subquery,
    "a CTE": _cte,
    "a recursive CTE": _recursive_cte,
    "a union": _union,
    "IN with a subquery": _in_subquery,
    "a join with itself": _self_join,
    "an outer join with itself": _outer_join,
    "deferred columns": _deferred,
    "relationships": _relationships,
    "the table in Core": _core_table,
    "an alias of the table in Core": _core_alias,
}
"""What must return the keys of the own rows, all of them and no other."""

LOCKED: dict[str, Read] = {"FOR UPDATE": _locked}
COUNTS: dict[str, Read] = {
    "count(*)": _count,
    "count of the key": _count_of_key,
    "count with the table in the condition only": _count_by_condition,
    "count in Core": _count_in_core,
    "count in a scalar subquery": _count_in_scalar_subquery,
    "count over a window": _windowed_count,
}
NOTHING: dict[str, Read] = {
    "the other organization by its id": _named_foreign,
    "known keys": _keys_known,
    "get": _foreign_get,
    "get, populating anew": _foreign_get_again,
    "EXISTS": _foreign_exists,
    "EXISTS in Core": _foreign_exists_in_core,
    "a join to a known key": _foreign_from_own,
    "refresh of a forged object": _foreign_refreshed,
}
"""What must return nothing, for it asks for foreign rows only."""
REFUSED: dict[str, Read] = {
    "SQL as text": _text,
    "SQL as text for the model": _text_of_columns,
    "SQL as text inside": _text_inside,
    "SQL past the ORM": _driver_sql,
}


async def ways_to_read(scene: Scene) -> AsyncIterator[str]:
    """Yield what is read beyond the organization."""
    runtime, own = scene.runtime, scene.own
    for name, read in {**ROWS, **COUNTS, **NOTHING}.items():
        async with runtime.reads(own) as session:
            found = await _outcome(read, scene, session)
        async with (unit := runtime.unit(own)):
            found_writing = await _outcome(read, scene, unit.session)
        for where, result in (("", found), (" in a unit of work", found_writing)):
            if not _is_right(scene, name, result):
                yield f"{name}{where}: returns {result!r}"
    async with (unit := runtime.unit(own)):
        if set(await _locked(scene, unit.session)) != set(scene.own_keys):
            yield "FOR UPDATE: locks other rows than its own"
    async for fault in _refusals(scene):
        yield fault


def _is_right(scene: Scene, name: str, result: Any) -> bool:
    if isinstance(result, Exception):
        return False
    if name in ROWS:
        return set(result) == set(scene.own_keys)
    return result == OWN_ROWS if name in COUNTS else not result


async def _refusals(scene: Scene) -> AsyncIterator[str]:
    for name, read in REFUSED.items():
        async with scene.runtime.reads(scene.own) as session:
            if not isinstance(await _outcome(read, scene, session), TenantError):
                yield f"{name}: is not refused"
    for name, read in {**ROWS, **COUNTS, **NOTHING, **REFUSED}.items():
        async with scene.runtime.reads() as session:
            if not isinstance(await _outcome(read, scene, session), TenantError):
                yield f"{name}, without an organization: is not refused"


async def _outcome(read: Read, scene: Scene, session: DatabaseSession) -> Any:
    """Return what the attempt returned or raised."""
    try:
        return await read(scene, session)
    except Exception as error:  # noqa: BLE001 - told by the caller
        return error
