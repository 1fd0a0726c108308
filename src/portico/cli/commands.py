"""The commands that concern the whole deployment: their names, options and help.

What they do is in the modules beside this one, imported only when a command runs, so that `portico --help` answers
at once. Commands of one feature live in the feature's `commands.py`.
"""

from typing import Annotated, Literal

import typer

from portico.cli.mcp_doctor.commands import examine_mcp
from portico.cli.processes import CommandLine

HOST = typer.Option(envvar="HOST", help="Address to listen on.")
PORT = typer.Option(envvar="PORT", help="Port to listen on; 0 takes a free one.", min=0, max=65535)
WORKERS = typer.Option(help="Processes; without it the setting PORTICO_WORKERS decides.", min=1, max=256)
QUEUES = typer.Option("--queue", "-q", help="Do only the jobs of this queue; may be given several times.")
POOL = typer.Option(help="With a broker: threads of one process, or a process for each job at a time.")
CONCURRENCY = typer.Option(
    "--concurrency",
    "-c",
    help="Jobs at the same time; without a broker, of each queue. Default: 16 threads, or a process a core.",
    min=1,
    max=1000,
)
GRACE = typer.Option(help="Seconds that jobs under way may take to end; what takes longer runs again.", min=0)
CHECK = typer.Option("--check", help="Change nothing; exit with 1 if migrations are missing.")
DOWN = typer.Option(metavar="REVISION", help="Go back to this revision; `base` takes every table away.")
CHAIN = typer.Option("--feature", help="Whose migrations go back: Portico's, or those of a feature of yours.")
MESSAGE = typer.Argument(help="What it does, in a few words.")
OWNER = typer.Option("--feature", help="The feature whose models changed.")
AS_JSON = typer.Option("--json", help="Print JSON, for scripts.")
CHANGED = typer.Option("--changed", help="Only what is not the default.")
EMAIL = typer.Option(help="The administrator's e-mail address; it counts as verified.")
PASSWORD_STDIN = typer.Option("--password-stdin", help="Read the password from standard input, one line.")
USERNAME = typer.Option(help="A name to sign in with besides the address.")
SEED_PASSWORD = typer.Option(
    "--password-stdin", help="Read one password for all of them from standard input."
)
USERS = typer.Option(help="How many people there shall be.", min=1, max=10_000_000)


def register_commands(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (serve, worker, migrate, draft_migration, settings, create_admin, seed, purge):
        app.command()(command)
    group = typer.Typer(invoke_without_command=True, callback=doctor)
    group.command("mcp")(examine_mcp)
    app.add_typer(group, name="doctor")


def serve(
    host: Annotated[str, HOST] = "127.0.0.1",
    port: Annotated[int, PORT] = 8000,
    workers: Annotated[int | None, WORKERS] = None,
) -> None:
    """Run the server.

    The embedded database, and any database in development, is migrated first.
    """
    from portico.cli.lean import collect_no_garbage

    collect_no_garbage()
    from portico.cli.serving import run_server

    run_server(host, port, workers)


def worker(
    queue: Annotated[list[str] | None, QUEUES] = None,
    pool: Annotated[Literal["threads", "prefork"], POOL] = "threads",
    concurrency: Annotated[int | None, CONCURRENCY] = None,
    grace: Annotated[float, GRACE] = 25,
) -> None:
    """Do jobs in a process of their own.

    With PORTICO_JOBS__BROKER_URL it is a Celery worker. SIGTERM lets the jobs under way end.
    """
    from portico.cli.working import run_jobs

    run_jobs(queue or (), pool, concurrency, grace)


def migrate(
    check: Annotated[bool, CHECK] = False,  # noqa: FBT002
    down: Annotated[str | None, DOWN] = None,
    feature: Annotated[str, CHAIN] = "portico",
) -> None:
    """Bring the database to this release.

    It connects as the role that owns the tables (`PORTICO_DATABASE__OWNER_URL`).
    """
    from portico.cli.migrations import check_schema, downgrade_schema, upgrade_schema

    if down is not None:
        downgrade_schema(down, feature)
        typer.echo(f"The tables of {feature} are at {down}.")
        return
    if check:
        check_schema()
    else:
        upgrade_schema()
    typer.echo("The database is up to date.")


def draft_migration(message: Annotated[str, MESSAGE], feature: Annotated[str, OWNER]) -> None:
    """Write the next migration of a feature of yours.

    Compares its models with its migrations. Read the file before you commit it.
    """
    from portico.cli.migrations import write_migration

    typer.echo(f"wrote {write_migration(message, feature)}")


def settings(
    as_json: Annotated[bool, AS_JSON] = False,  # noqa: FBT002
    changed: Annotated[bool, CHANGED] = False,  # noqa: FBT002
) -> None:
    """Print each setting, its value and its source.

    Secrets are masked.
    """
    from portico.cli.shown_settings import list_settings, print_settings

    print_settings(list_settings(changed_only=changed), as_json=as_json)


def doctor(context: typer.Context) -> None:
    """Examine this deployment; exit with 1 if it is unsound.

    Looks at settings, database, migrations, clock, storage, and at what the features say of themselves.
    """
    if context.invoked_subcommand is not None:
        return
    from portico.cli.checkup import is_sound

    if not is_sound():
        raise typer.Exit(1)


def create_admin(
    context: typer.Context,
    email: Annotated[str, EMAIL],
    password_stdin: Annotated[bool, PASSWORD_STDIN] = False,  # noqa: FBT002
    username: Annotated[str | None, USERNAME] = None,
) -> None:
    """Make an administrator."""
    from portico.cli.accounts import make_administrator, read_password

    line: CommandLine = context.obj
    make_administrator(line, email, read_password(from_stdin=password_stdin), username=username)
    typer.echo(f"{email} may administer this deployment.")


def seed(
    context: typer.Context,
    users: Annotated[int, USERS],
    password_stdin: Annotated[bool, SEED_PASSWORD] = False,  # noqa: FBT002
) -> None:
    """Make people for a trial or a measurement.

    They are person1@seed.example and so on. An interrupted run goes on where it stopped. Without a password nobody
    of them can sign in. Refused in production.
    """
    from portico.cli.accounts import make_people, read_password

    line: CommandLine = context.obj
    make_people(line, users, password=read_password(from_stdin=True) if password_stdin else None)
    typer.echo(f"Invented people there are now: {users}")


def purge(context: typer.Context) -> None:
    """Erase deleted accounts whose grace is over.

    The server does so by itself every hour; this does it now.
    """
    from portico.cli.accounts import erase_deleted

    line: CommandLine = context.obj
    typer.echo(f"Accounts erased: {erase_deleted(line)}")
