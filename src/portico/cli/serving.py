"""What `portico serve` does: migrate what is ours, say where everything is, then serve in one process or several."""

from portico.cli import lean  # isort: split

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final, NoReturn

import anyio
import typer
from fastapi import FastAPI

from portico.access.services import has_superuser
from portico.app import create_app
from portico.cli.errors import CommandRefused
from portico.cli.features import enabled_features
from portico.cli.processes import command_runtime
from portico.cli.supervisor import run_workers
from portico.composition import check_schema, compose, migrator_of
from portico.core.metrics import SHARED_FOLDER
from portico.core.settings import Settings
from portico.credentials.services import issue_setup_link
from portico.db.chains import SchemaBehind
from portico.http.graceful import GracefulConfig, GracefulServer
from portico.http.server import server_options

BACKLOG: Final = 2048


def run_server(host: str, port: int, workers: int | None) -> None:
    """Serve until SIGTERM or SIGINT, then end with exit status 0.

    Raises:
        CommandRefused: the address cannot be listened on.
    """
    with _listen(host, port) as listener:
        _let_public_url_follow(listener.getsockname()[1])
        if workers is not None:
            os.environ["PORTICO_WORKERS"] = str(workers)
        settings = Settings()
        link = anyio.run(_prepare, settings)
        typer.echo(banner(settings, link))
        _serve(settings, listener)


def application() -> FastAPI:
    """Return the application of one worker process."""
    settings = Settings()
    app = create_app(settings, enabled_features(settings))
    lean.collect_garbage_of_requests()
    return app


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Let the workers count together, in a folder of their own unless one is named."""
    if os.environ.get(SHARED_FOLDER):
        yield
        return
    with TemporaryDirectory(prefix="portico-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        yield


def _serve(settings: Settings, listener: socket.socket) -> None:
    config = GracefulConfig(
        "portico.cli.serving:application",
        factory=True,
        workers=settings.workers,
        ws="none",
        **server_options(settings),
    )
    config.drain_seconds = settings.drain.total_seconds()
    if settings.workers > 1:
        with _shared_metrics():
            run_workers(config, listener)
        return
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _leave)
    server = GracefulServer(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End without a traceback: uvicorn raises the signal again when it has stopped."""
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    """Take the address first: then nothing is migrated or printed for a server that cannot run."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise CommandRefused(
            f"{host}:{port} cannot be listened on ({error.strerror}): choose another with --host or --port"
        ) from error
    listener.set_inheritable(True)
    return listener


def _let_public_url_follow(port: int) -> None:
    """Without a public URL of its own, the server is reached under the port that it listens on."""
    if "public_url" not in Settings().model_fields_set:
        os.environ["PORTICO_PUBLIC_URL"] = f"http://localhost:{port}"


async def _prepare(settings: Settings) -> str | None:
    """Migrate what is ours to migrate without asking; return the link that makes the first administrator.

    Raises:
        SchemaBehind: a database that is not ours to migrate.
    """
    try:
        return await _setup_link(settings)
    except SchemaBehind:
        if settings.database.url is not None and not settings.is_development:
            raise
    await migrator_of(settings, enabled_features(settings)).upgrade()
    return await _setup_link(settings)


async def _setup_link(settings: Settings) -> str | None:
    """Return the link, or None where there is an administrator, which is asked first and quickly.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    runtime = compose(settings, enabled_features(settings))
    try:
        await check_schema(runtime)
        async with runtime.reads() as session:
            if await has_superuser(session):
                return None
    finally:
        await runtime.database.close()
    async with command_runtime(settings) as runtime:
        return await issue_setup_link(runtime)


def banner(settings: Settings, setup_link: str | None) -> str:
    """Return what is printed before the server serves."""
    url = settings.public_url
    places: list[tuple[str, str]] = [("Sign in", "/login"), ("Account", "/account")]
    if settings.serves_api_reference:
        places.append(("API reference", "/docs"))
    if settings.is_development:
        places += [("Mail viewer", "/dev/mail"), ("Webhooks", "/dev/webhooks")]
    lines = ["", f"  {settings.name} on {url}", ""]
    lines += [f"  {label:<14} {url}{path}" for label, path in places]
    if setup_link:
        lines += ["", "  Make the first administrator with this link, good once:", f"  {setup_link}"]
    return "\n".join([*lines, ""])
