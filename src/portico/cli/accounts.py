"""What `portico create-admin`, `seed` and `purge` do: the first person, a hundred thousand, and the end of one."""

import sys

import typer
from rich.console import Console
from rich.progress import Progress

from portico.cli.errors import CommandRefused
from portico.cli.processes import CommandLine
from portico.coordination.leases import Lease, Leases
from portico.credentials.services import create_administrator, seed_people
from portico.runtime import Runtime
from portico.users.services import Users


def read_password(*, from_stdin: bool) -> str:
    """Return the first line of standard input, or what is typed twice, unseen."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def make_administrator(line: CommandLine, email: str, password: str, *, username: str | None = None) -> None:
    """Make an administrator whose address counts as verified."""

    async def work(runtime: Runtime) -> None:
        await create_administrator(runtime, email=email, password=password, username=username)

    line.run(work)


def make_people(line: CommandLine, count: int, *, password: str | None = None) -> None:
    """Make people until there are `count`.

    Raises:
        CommandRefused: invented people have no place in production.
        LeaseTaken: somebody else is at it; two at once would make the same people.
    """

    async def work(runtime: Runtime) -> None:
        if runtime.settings.is_production:
            raise CommandRefused("production is not seeded: invented people have no place there")
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("people", total=count)
            async with runtime.get(Leases).hold("seed") as lease:

                def told(done: int) -> None:
                    bar.update(task, completed=done)
                    lease.refuse_if_lost()

                await seed_people(runtime, count, password=password, progress=told)

    line.run(work)


def erase_deleted(line: CommandLine) -> int:
    """Erase batch after batch, each in a transaction of its own; return how many accounts that were.

    Raises:
        LeaseTaken: somebody else is at it.
    """

    async def work(runtime: Runtime) -> int:
        total = 0
        due = await Users(runtime, runtime.unit()).count_to_purge()
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("accounts", total=due)
            async with runtime.get(Leases).hold("purge") as lease:
                while erased := await _erase_batch(runtime, lease):
                    total += erased
                    bar.update(task, completed=total)
        return total

    return line.run(work)


async def _erase_batch(runtime: Runtime, lease: Lease) -> int:
    unit = runtime.unit()
    lease.fence(unit)
    return await Users(runtime, unit).purge_deleted()
