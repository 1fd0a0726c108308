"""Two organizations with rows of the model under test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Table, inspect, select
from sqlalchemy.orm import Mapper

from portico.access.services import Tenants
from portico.core.ids import OrganizationId
from portico.organizations.models import Organization
from portico.runtime import Runtime

OWN_ROWS, FOREIGN_ROWS = 2, 3
"""How many rows each has: different, so that a count tells whose were counted."""


@dataclass(slots=True)
class Scene:
    """The organization that acts, the other one, and what belongs to them."""

    runtime: Runtime
    model: type[Any]
    make: Callable[[], Any]
    own: OrganizationId
    foreign: OrganizationId
    own_keys: list[Any] = field(default_factory=list)
    foreign_keys: list[Any] = field(default_factory=list)
    foreign_before: list[Any] = field(default_factory=list)

    @classmethod
    async def filled(cls, runtime: Runtime, model: type[Any], make: Callable[[], Any]) -> Self:
        """Make both organizations and their rows.

        Raises:
            TypeError: the model's key has several columns.
        """
        if len(model.__table__.primary_key) != 1:
            raise TypeError(f"{model.__name__}: rows are told apart by a key of one column")
        own, foreign = await new_organization(runtime), await new_organization(runtime)
        scene = cls(runtime, model, make, own, foreign)
        scene.own_keys = [await scene.add_row(own) for _ in range(OWN_ROWS)]
        scene.foreign_keys = [await scene.add_row(foreign) for _ in range(FOREIGN_ROWS)]
        scene.foreign_before = await scene.foreign_rows()
        return scene

    @property
    def mapper(self) -> Mapper[Any]:
        """Return the model's mapper."""
        mapper: Mapper[Any] = inspect(self.model)
        return mapper

    @property
    def table(self) -> Table:
        """Return the model's table."""
        table = self.mapper.local_table
        assert isinstance(table, Table)
        return table

    @property
    def key(self) -> Any:
        """Return the first column of the primary key, as an attribute of the model."""
        return self.mapper.get_property_by_column(self.mapper.primary_key[0]).class_attribute

    async def add_row(self, organization_id: OrganizationId) -> Any:
        """Add one row and return the value of its key."""
        async with (unit := self.runtime.unit(organization_id)):
            row = self.make()
            unit.session.add(row)
            await unit.session.flush()
            return getattr(row, self.key.key)

    async def foreign_rows(self) -> list[Any]:
        """Return the other organization's rows, all columns, as itself sees them."""
        async with self.runtime.reads(self.foreign) as session:
            return [
                tuple(row)
                for row in await session.execute(select(self.table).order_by(self.table.c[self.key.key]))
            ]

    async def foreign_copy(self) -> Any:
        """Return one of the other's rows, as somebody who learnt all of it could hold it: belonging to no session."""
        async with self.runtime.reads(self.foreign) as session:
            row = await session.get_one(self.model, self.foreign_keys[0])
            session.expunge(row)
            return row

    def keys_of(self, rows: Any) -> list[Any]:
        """Return the keys of rows."""
        return [getattr(row, self.key.key) for row in rows]


async def new_organization(runtime: Runtime, name: str = "Example") -> OrganizationId:
    """Make an organization without members, quicker than by its service."""
    async with (unit := runtime.unit()):
        organization_id = await Tenants(runtime, unit).add_tenant()
        now, slug = runtime.clock.now(), f"o{organization_id.hex}"
        times = {"created_at": now, "updated_at": now}
        unit.session.add(Organization(id=organization_id, name=name, slug=slug, slug_key=slug, **times))
    return organization_id
