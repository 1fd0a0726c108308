"""Every way to write: none touches a row of another organization, adds one there, or moves one there."""

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import make_transient, make_transient_to_detached
from sqlalchemy.orm.attributes import flag_modified

from portico.core.ids import OrganizationId
from portico.db.dialects import insert_into
from portico.db.tenancy import TenantError
from portico.db.unit import DatabaseSession
from portico.testing.isolation.scenes import OWN_ROWS, Scene

type Write = Callable[[Scene, DatabaseSession], Awaitable[Any]]


class _Undone(Exception):
    """Rolls an attempt back, so that the next one finds the scene as it was."""


def _some_column(scene: Scene) -> Any:
    """Return a column that can be changed: no key, not the organization; else the key itself, set to itself."""
    fixed = {"organization_id", "version", *(column.name for column in scene.table.primary_key)}
    free = [column for column in scene.table.c if column.name not in fixed and not column.foreign_keys]
    return free[0] if free else scene.table.c[scene.key.key]


async def _update_all(scene: Scene, session: DatabaseSession) -> Any:
    column = _some_column(scene)
    return (await session.execute(update(scene.model).values({column.key: column}))).rowcount  # type: ignore[attr-defined]


async def _update_all_in_core(scene: Scene, session: DatabaseSession) -> Any:
    column = _some_column(scene)
    return (await session.execute(update(scene.table).values({column.key: column}))).rowcount  # type: ignore[attr-defined]


async def _delete_all(scene: Scene, session: DatabaseSession) -> Any:
    return (await session.execute(delete(scene.model))).rowcount  # type: ignore[attr-defined]


async def _delete_all_in_core(scene: Scene, session: DatabaseSession) -> Any:
    return (await session.execute(delete(scene.table))).rowcount  # type: ignore[attr-defined]


async def _update_foreign(scene: Scene, session: DatabaseSession) -> Any:
    column = _some_column(scene)
    query = update(scene.model).where(scene.key.in_(scene.foreign_keys)).values({column.key: column})
    return (await session.execute(query)).rowcount  # type: ignore[attr-defined]


async def _update_returning(scene: Scene, session: DatabaseSession) -> Any:
    column = _some_column(scene)
    query = update(scene.model).where(scene.key.in_(scene.foreign_keys)).values({column.key: column})
    return len((await session.execute(query.returning(scene.key))).all())


async def _delete_foreign(scene: Scene, session: DatabaseSession) -> Any:
    return (await session.execute(delete(scene.model).where(scene.key.in_(scene.foreign_keys)))).rowcount  # type: ignore[attr-defined]


async def _delete_by_subquery(scene: Scene, session: DatabaseSession) -> Any:
    inner = select(scene.key).where(scene.model.organization_id == scene.foreign)
    query = delete(scene.model).where(scene.key.in_(inner)).execution_options(synchronize_session=False)
    return (await session.execute(query)).rowcount  # type: ignore[attr-defined]


async def _delete_in_cte(scene: Scene, session: DatabaseSession) -> Any:
    if session.get_bind().dialect.name != "postgresql":
        return 0
    changed = delete(scene.model).where(scene.key.in_(scene.foreign_keys)).returning(scene.key).cte("changed")
    return await session.scalar(select(func.count()).select_from(changed))


async def _delete_forged(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    row.organization_id = scene.own
    make_transient(row)
    make_transient_to_detached(row)
    await _deleted(session, row)


async def _delete_copy(scene: Scene, session: DatabaseSession) -> Any:
    await _deleted(session, await scene.foreign_copy())


async def _deleted(session: DatabaseSession, row: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # that nothing was deleted, which is right
        await session.delete(row)
        await session.flush()


async def _restamp_in_bulk(scene: Scene, session: DatabaseSession) -> Any:
    await session.execute(update(scene.model).values(organization_id=scene.foreign))


async def _restamp_in_core(scene: Scene, session: DatabaseSession) -> Any:
    await session.execute(update(scene.table).values({scene.table.c.organization_id: scene.foreign}))


async def _restamp_by_parameters(scene: Scene, session: DatabaseSession) -> Any:
    rows = [{scene.key.key: key, "organization_id": scene.foreign} for key in scene.own_keys]
    await session.execute(update(scene.model), rows)


async def _restamp_object(scene: Scene, session: DatabaseSession) -> Any:
    row = await session.get_one(scene.model, scene.own_keys[0])
    row.organization_id = scene.foreign
    await session.flush()


async def _add_foreign(scene: Scene, session: DatabaseSession) -> Any:
    session.add(scene.make())
    for row in session.new:  # the parents too, or the row would follow them back into the own organization
        row.organization_id = scene.foreign
    await session.flush()


def _values(scene: Scene, row: Any, organization_id: OrganizationId | None = None) -> dict[str, Any]:
    """Return the columns of a row of the other's as new ones, under a key that is free."""
    skipped = {"organization_id", scene.key.key}
    values = {
        attribute.key: getattr(row, attribute.key)
        for attribute in scene.mapper.column_attrs
        if attribute.key not in skipped
    }
    return values | ({} if organization_id is None else {"organization_id": organization_id})


async def _insert_foreign(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    await session.execute(insert(scene.model).values(_values(scene, row, scene.foreign)))


async def _insert_foreign_in_bulk(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    await session.execute(
        insert(scene.model), [_values(scene, row), _values(scene, row, scene.foreign)][1:] * 2
    )


async def _insert_foreign_at_once(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    await session.execute(insert(scene.model).values([_values(scene, row, scene.foreign)] * 2))


async def _insert_foreign_in_core(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    await session.execute(insert(scene.table), _values(scene, row, scene.foreign))


async def _insert_from_select(scene: Scene, session: DatabaseSession) -> Any:
    columns = [column for column in scene.table.c if column.name != scene.key.key]
    await session.execute(
        insert(scene.table).from_select([column.name for column in columns], select(*columns))
    )


async def _insert_or_replace(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    values = {**_values(scene, row), scene.key.key: scene.foreign_keys[0]}
    await session.execute(insert(scene.model).prefix_with("OR REPLACE").values(values))


async def _upsert(scene: Scene, session: DatabaseSession) -> Any:
    row, column = await scene.foreign_copy(), _some_column(scene)
    values = {**_values(scene, row), scene.key.key: scene.foreign_keys[0]}
    statement = insert_into(scene.table, session.get_bind().dialect.name).values(values)
    key = [each.name for each in scene.table.primary_key]
    return (
        await session.execute(statement.on_conflict_do_update(index_elements=key, set_={column.name: column}))
    ).rowcount  # type: ignore[attr-defined]


async def _upsert_moving(scene: Scene, session: DatabaseSession) -> Any:
    row = await scene.foreign_copy()
    values = {**_values(scene, row), scene.key.key: scene.own_keys[0]}
    statement = insert_into(scene.table, session.get_bind().dialect.name).values(values)
    key = [each.name for each in scene.table.primary_key]
    moved = statement.on_conflict_do_update(index_elements=key, set_={"organization_id": scene.foreign})
    await session.execute(moved)


async def _change_copy(scene: Scene, session: DatabaseSession) -> Any:
    """Put a row that was read elsewhere into this session and change it."""
    row = await scene.foreign_copy()
    session.add(row)
    flag_modified(row, scene.mapper.get_property_by_column(_some_column(scene)).key)
    await session.flush()


async def _change_in_bulk(scene: Scene, session: DatabaseSession) -> Any:
    row, column = await scene.foreign_copy(), _some_column(scene)
    key = scene.mapper.get_property_by_column(column).key
    await session.execute(
        update(scene.model), [{scene.key.key: scene.foreign_keys[0], key: getattr(row, key)}]
    )


COUNTED: dict[str, tuple[Write, int]] = {
    "UPDATE of everything": (_update_all, OWN_ROWS),
    "UPDATE of everything in Core": (_update_all_in_core, OWN_ROWS),
    "DELETE of everything": (_delete_all, OWN_ROWS),
    "DELETE of everything in Core": (_delete_all_in_core, OWN_ROWS),
    "UPDATE by known keys": (_update_foreign, 0),
    "UPDATE by known keys, returning": (_update_returning, 0),
    "DELETE by known keys": (_delete_foreign, 0),
    "DELETE by a subquery": (_delete_by_subquery, 0),
    "DELETE in a CTE": (_delete_in_cte, 0),
}
"""How many rows each may touch."""
MOVES: dict[str, Write] = {
    "UPDATE of the organization": _restamp_in_bulk,
    "UPDATE of the organization in Core": _restamp_in_core,
    "UPDATE of the organization by parameters": _restamp_by_parameters,
    "another organization for an object": _restamp_object,
    "a new object of another organization": _add_foreign,
    "INSERT for another organization": _insert_foreign,
    "INSERT of many for another organization": _insert_foreign_in_bulk,
    "INSERT of many at once for another organization": _insert_foreign_at_once,
    "INSERT in Core for another organization": _insert_foreign_in_core,
    "INSERT from SELECT with the organization": _insert_from_select,
    "INSERT OR REPLACE": _insert_or_replace,
    "upsert of the organization": _upsert_moving,
}
"""What is refused."""
FAILS: dict[str, Write] = {
    "upsert over a foreign row": _upsert,
    "changing a copy of a foreign object": _change_copy,
    "UPDATE by parameters": _change_in_bulk,
    "deleting a forged object": _delete_forged,
    "deleting a copy of a foreign object": _delete_copy,
}
"""What may fail in any way, or do nothing; then it is committed, and the other's rows are looked at in the end."""


async def ways_to_write(scene: Scene) -> AsyncIterator[str]:
    """Yield what is written beyond the organization."""
    for name, (write, rows) in COUNTED.items():
        touched = await _tried(scene, write, scene.own, is_undone=rows > 0)
        if touched != rows:
            yield f"{name}: touches {touched!r} rows instead of {rows}"
    for name, write in MOVES.items():
        outcome = await _tried(scene, write, scene.own)
        if not isinstance(outcome, TenantError):
            yield f"{name}: is not refused ({outcome!r})"
    for name, write in FAILS.items():
        outcome = await _tried(scene, write, scene.own)
        if isinstance(outcome, int) and outcome > 0:
            yield f"{name}: touches {outcome} rows"
    for name, write in {**{each: way for each, (way, _) in COUNTED.items()}, **MOVES, **FAILS}.items():
        outcome = await _tried(scene, write, None)
        if not isinstance(outcome, TenantError) and write is not _delete_in_cte:
            yield f"{name}, without an organization: is not refused ({outcome!r})"


async def _tried(
    scene: Scene, write: Write, organization_id: OrganizationId | None, *, is_undone: bool = False
) -> Any:
    """Return what the attempt returned or raised."""
    outcome: Any = None
    try:
        async with (unit := scene.runtime.unit(organization_id)):
            outcome = await write(scene, unit.session)
            if is_undone:
                raise _Undone
    except _Undone:
        return outcome
    except Exception as error:  # noqa: BLE001 - told by the caller
        return error
    return outcome
