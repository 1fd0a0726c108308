"""`portico create-admin` and `portico seed`: the first person, and a hundred thousand for a trial."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from portico.cli.processes import run_with_runtime
from portico.core.errors import PorticoError
from portico.credentials.services import create_administrator, seed_people
from portico.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create-admin")(create_admin)
    app.command()(seed)


def create_admin(
    email: Annotated[str, typer.Option(help="The administrator's e-mail address.")],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")] = False,  # noqa: FBT002
) -> None:
    """Make an administrator whose address counts as verified."""
    password = _read_password(from_stdin=password_stdin)

    async def work(runtime: Runtime) -> None:
        await create_administrator(runtime, email=email, password=password)

    run_with_runtime(work)
    Console().print(f"{email} may administer this deployment.", markup=False, highlight=False)


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def seed(users: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many people.")]) -> None:
    """Make people for a trial or a measurement; an interrupted run goes on where it stopped."""

    async def work(runtime: Runtime) -> None:
        if runtime.settings.is_production:
            raise SeedRefused
        with Progress(transient=True) as progress:
            task = progress.add_task("people", total=users)
            await seed_people(runtime, users, progress=lambda done: progress.update(task, completed=done))

    run_with_runtime(work)
    Console().print(f"{users} people are there.")


class SeedRefused(PorticoError):
    """Invented people have no place in production."""

    code, title, status = "seed_refused", "Production is not seeded", 409
