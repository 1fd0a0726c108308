"""`portico migrate`: bring the database to this release, or look at it, or go back."""

from typing import Annotated

import anyio
import typer
from rich.console import Console

from portico.app import default_features
from portico.composition import migrator_of
from portico.core.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only tell whether migrations are missing.")] = False,  # noqa: FBT002
    down: Annotated[str | None, typer.Option(help="Go back to this revision of Portico's chain.")] = None,
) -> None:
    """Run the migrations of Portico and of the team's features, as the role that owns the tables."""
    anyio.run(_migrate, check, down)


async def _migrate(check: bool, down: str | None) -> None:  # noqa: FBT001
    migrator = migrator_of(Settings(), default_features())
    if down is not None:
        await migrator.downgrade(down)
    elif not check:
        await migrator.upgrade()
    if down is None:
        await migrator.check()
    Console().print("The database is up to date." if down is None else f"The database is at {down}.")
