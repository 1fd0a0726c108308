"""The walls between organizations: what a session of one can reach, and what tells of a hole."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import (
    DDL,
    Column,
    ForeignKey,
    MetaData,
    Table,
    Uuid,
    column,
    func,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, selectinload
from starlette.requests import Request

from portico.app import default_features
from portico.composition import migrator_of
from portico.core.ids import OrganizationId
from portico.core.settings import Settings
from portico.db import Base, Identified
from portico.db.tenancy import TenantMissing, TenantRefused, TenantScoped, every_organization, models, windows
from portico.db.tenancy.errors import TablesOpen
from portico.db.trips import Trip
from portico.feature import Feature
from portico.http.dependencies import get_organization
from portico.runtime import Runtime
from portico.testing.isolation import new_organization, prove_isolation
from portico.testing.isolation.structure import keys_out, open_children
from tests.db.notebook.models import Entry, Notebook

pytestmark = pytest.mark.anyio


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), Feature(name="notebook", migrations="tests.db.notebook.migrations")]


@pytest.fixture
async def organization(runtime: Runtime) -> OrganizationId:
    return await new_organization(runtime)


MODELS: dict[str, Any] = {
    "parent": (Notebook, lambda: Notebook(title="one")),
    "child": (Entry, lambda: Entry(text="one", notebook=Notebook(title="one"))),
}


@pytest.mark.bar("CHECK-2", "ASVS-8.4.1")
@pytest.mark.parametrize("model", MODELS)
async def test_scoped_model_is_isolated(runtime: Runtime, model: str) -> None:
    await prove_isolation(runtime, *MODELS[model])


async def test_rows_are_stamped_however_they_are_added(
    runtime: Runtime, organization: OrganizationId
) -> None:
    async with runtime.unit(organization) as unit:
        unit.session.add(Notebook(title="object", entries=[Entry(text="child")]))
        await unit.session.execute(insert(Notebook).values(title="values"))
        await unit.session.execute(insert(Notebook), [{"title": "bulk one"}, {"title": "bulk two"}])
        await unit.session.execute(insert(Notebook).values([{"title": "at once"}, {"title": "at once"}]))
        await unit.session.execute(insert(Base.metadata.tables["test_notebooks"]), {"title": "core"})
        columns = select(func.max(Notebook.title).label("title"))
        await unit.session.execute(insert(Notebook).from_select(["title"], columns))
    async with runtime.reads(organization) as session:
        owners = (await session.scalars(select(Notebook.organization_id))).all()
        [child] = await session.scalars(select(Entry))

    assert owners == [organization] * 8
    assert child.organization_id == organization


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_other_letters_lead_to_no_other_table(runtime: Runtime, organization: OrganizationId) -> None:
    """To SQLite they are the same; to PostgreSQL there is no such table."""
    loud = select(table("TEST_NOTEBOOKS", column("title")))
    for each in (organization, await new_organization(runtime)):
        async with runtime.unit(each) as unit:
            unit.session.add(Notebook(title=str(each)))

    async with runtime.reads(organization) as session:
        assert (await session.scalars(loud)).all() == [str(organization)]
    with pytest.raises(TenantMissing):
        async with runtime.reads() as session:
            await session.execute(loud)


async def test_unit_of_no_organization_says_how_to_get_one(runtime: Runtime) -> None:
    with pytest.raises(
        TenantMissing, match=r"Notebook belongs to organizations: .*runtime\.reads\(organization_id\)"
    ):
        async with runtime.reads() as session:
            await session.execute(select(Notebook))
    with pytest.raises(TenantMissing):
        async with runtime.unit() as unit:
            unit.session.add(Notebook(title="nobody's"))


async def test_other_tables_are_as_before(runtime: Runtime, organization: OrganizationId) -> None:
    query = text("SELECT count(*) FROM portico_users")
    async with runtime.reads() as outside, runtime.reads(organization) as inside:
        counts = [await session.scalar(query) for session in (outside, inside)]

    assert counts == [0, 0]


async def test_unit_is_scoped_once_and_before_it_opens(
    runtime: Runtime, organization: OrganizationId
) -> None:
    unit = runtime.unit()
    unit.scope_to(organization)
    unit.scope_to(organization)
    with pytest.raises(RuntimeError, match="one organization"):
        unit.scope_to(await new_organization(runtime))
    opened = runtime.unit()
    async with opened:
        with pytest.raises(RuntimeError, match="one organization"):
            opened.scope_to(organization)


async def test_only_ids_are_organizations(runtime: Runtime) -> None:
    with pytest.raises(TypeError):
        async with runtime.reads("0; DROP TABLE portico_users"):  # type: ignore[arg-type]
            pass


async def test_connections_go_back_without_their_organization(
    runtime: Runtime, organization: OrganizationId, database_kind: str
) -> None:
    """One connection after another of both pools, each of which served the organization before."""
    if database_kind == "sqlite":
        pytest.skip("SQLite's connections know no organization")
    setting = text("SELECT current_setting('portico.organization_id', true)")
    inside, outside = set(), set()
    for _ in range(8):
        async with runtime.reads(organization) as session:
            inside.add(await session.scalar(setting))
        async with runtime.unit(organization) as unit:
            inside.add(await unit.session.scalar(setting))
        async with runtime.reads() as session:
            outside.add(await session.scalar(setting))
        async with runtime.unit() as unit:
            outside.add(await unit.session.scalar(setting))

    assert inside == {str(organization)}
    assert outside <= {"", None}


async def test_beginning_for_an_organization_costs_no_trip(
    runtime: Runtime, organization: OrganizationId, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite has no trips")
    import asyncpg

    sent: list[str] = []
    execute = asyncpg.Connection.execute

    async def counted(self: Any, query: str, *args: Any, **named: Any) -> str:
        sent.append(query)
        status: str = await execute(self, query, *args, **named)
        return status

    monkeypatch.setattr(asyncpg.Connection, "execute", counted)
    async with runtime.reads(organization) as session:
        await session.scalar(select(func.count(Notebook.id)))

    assert sent == [
        f"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL portico.organization_id = '{organization}';",
        "ROLLBACK;",
    ]


async def test_foreign_key_leads_to_no_other_organization(
    runtime: Runtime, organization: OrganizationId
) -> None:
    async with runtime.unit(await new_organization(runtime)) as unit:
        foreign = Notebook(title="theirs")
        unit.session.add(foreign)
    with pytest.raises(IntegrityError):
        async with runtime.unit(organization) as unit:
            unit.session.add(Entry(text="mine", notebook_id=foreign.id))


async def test_relationships_are_loaded_inside(runtime: Runtime, organization: OrganizationId) -> None:
    async with runtime.unit(organization) as unit:
        unit.session.add(Notebook(title="one", entries=[Entry(text="a"), Entry(text="b")]))
    async with runtime.reads(organization) as session:
        [found] = await session.scalars(select(Notebook).options(selectinload(Notebook.entries)))

    assert sorted(entry.text for entry in found.entries) == ["a", "b"]


async def test_deleting_an_organization_takes_its_rows_along(
    runtime: Runtime, organization: OrganizationId
) -> None:
    async with runtime.unit(organization) as unit:
        unit.session.add(Notebook(title="one", entries=[Entry(text="a")]))
    async with runtime.unit() as unit:
        await unit.session.execute(
            text("DELETE FROM portico_organizations WHERE id = :id"),
            {"id": organization if not runtime.database.is_sqlite else organization.hex},
        )
    async with runtime.reads(organization) as session:
        assert await session.scalar(select(func.count(Entry.id))) == 0


async def test_bare_connections_and_trips_are_refused(runtime: Runtime) -> None:
    async with runtime.database.reader.connect() as connection:
        with pytest.raises(TenantMissing):
            await connection.execute(select(Notebook.__table__))
        with pytest.raises(TenantRefused):
            await connection.exec_driver_sql("SELECT 1 FROM (SELECT * FROM TEST_NOTEBOOKS) t")
        with pytest.raises(TenantRefused, match="bare word"):
            await connection.execute(table("test_notebooks").delete())
    trip = Trip(postgresql=select(Notebook.id), sqlite=[select(Notebook.id)])
    with pytest.raises(TenantRefused, match="trip"):
        await runtime.database.trips.run(trip, {})


def test_scoped_tables_hold_the_column_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_models", dict(models._models))
    monkeypatch.setattr(models, "_spellings", set(models._spellings))
    monkeypatch.setattr(models, "_pattern", models._pattern)

    class Elsewhere(DeclarativeBase):
        pass

    class Parent(TenantScoped, Identified, Elsewhere):
        __tablename__ = "test_parents"

    with pytest.raises(TypeError, match="holds organization_id itself"):

        class Child(Parent):
            __tablename__ = "test_children"
            id: Mapped[Any] = mapped_column(Uuid, ForeignKey("test_parents.id"), primary_key=True)


async def test_every_organization_is_walked_in_batches(runtime: Runtime) -> None:
    made = [await new_organization(runtime) for _ in range(5)]
    walked = [each async for each in every_organization(runtime.reads, batch=2)]

    assert walked == made


async def test_organization_of_the_path_alone_opens_nothing(organization: OrganizationId) -> None:
    request = Request({"type": "http", "path_params": {"organization_id": organization}})
    with pytest.raises(RuntimeError, match="nobody checked the organization"):
        await get_organization(request)


def ddl(statement: str) -> Any:
    """Return a statement about the table itself, which the wall does not look at."""
    return DDL(statement)  # type: ignore[no-untyped-call]


class TestHoles:
    """The proof finds what is planted."""

    async def test_table_without_window(self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            windows, "is_tenant_table", lambda name: name != "test_notebooks" and models.is_tenant_table(name)
        )
        with pytest.raises(AssertionError) as found:
            await prove_isolation(runtime, *MODELS["parent"])
        told = str(found.value)

        assert "UPDATE of the organization" in told
        assert "a subquery: returns" in told or not runtime.database.is_sqlite

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    async def test_table_without_policy(
        self, runtime: Runtime, settings: Settings, features: Sequence[Feature]
    ) -> None:
        async with runtime.database.writer.begin() as connection:
            await connection.execute(ddl("ALTER TABLE test_notebooks NO FORCE ROW LEVEL SECURITY"))
        with pytest.raises(AssertionError, match="the driver without an organization: sees 5 rows"):
            await prove_isolation(runtime, *MODELS["parent"])

        assert await migrator_of(settings, features).drift() == [("open_table", "test_notebooks")]
        with pytest.raises(TablesOpen, match=r'isolate\(op, "test_notebooks"\)'):
            await migrator_of(settings, features).upgrade()

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    async def test_second_policy_that_lets_everything_through(
        self, runtime: Runtime, settings: Settings, features: Sequence[Feature]
    ) -> None:
        async with runtime.database.writer.begin() as connection:
            await connection.execute(ddl("CREATE POLICY hole ON test_notebooks USING (true)"))

        assert await migrator_of(settings, features).drift() == [("open_table", "test_notebooks")]

    def test_foreign_key_that_leads_out(self) -> None:
        table = Table("test_loose", MetaData(), Column("notebook_id", ForeignKey(Notebook.__table__.c.id)))

        assert len(list(keys_out(table))) == 1
        assert list(keys_out(Base.metadata.tables["test_notes"])) == []

    def test_rows_that_hang_on_scoped_ones_and_are_open(self) -> None:
        parent = Base.metadata.tables["test_notebooks"]
        before = list(open_children(parent))
        child = Table("test_tags", Base.metadata, Column("notebook_id", ForeignKey(parent.c.id)))
        found = list(open_children(parent))
        Base.metadata.remove(child)

        assert (len(before), len(found)) == (0, 1)
