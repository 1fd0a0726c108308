"""`portico serve`: one process or several, on loopback unless told otherwise."""

import os
from typing import Annotated

import anyio
import typer
import uvicorn
from fastapi import FastAPI
from rich.console import Console

from portico.app import create_app, default_features
from portico.cli.processes import command_runtime
from portico.composition import migrator_of
from portico.core.settings import Settings
from portico.credentials.services import issue_setup_link

GRACE_SECONDS = 30
KEEP_ALIVE_SECONDS = 75


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option(envvar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", help="Port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int | None, typer.Option(help="Processes; default: PORTICO_WORKERS.", min=1)] = None,
) -> None:
    """Run the server. The embedded database is migrated first."""
    _let_public_url_follow(port)
    if workers is not None:
        os.environ["PORTICO_WORKERS"] = str(workers)
    settings = Settings()
    anyio.run(_prepare, settings)
    options = {
        "host": host,
        "port": port,
        "workers": settings.workers,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "ws": "none",
    }
    if settings.workers > 1:
        uvicorn.run("portico.cli.serving:application", factory=True, **options)  # type: ignore[arg-type]
    else:
        uvicorn.run(application(), **options)  # type: ignore[arg-type]


def application() -> FastAPI:
    """Return the application of one worker process."""
    return create_app(Settings())


def _let_public_url_follow(port: int) -> None:
    """On another port and without a public URL of its own, the server is reached under that port."""
    if "public_url" not in Settings().model_fields_set:
        os.environ["PORTICO_PUBLIC_URL"] = f"http://localhost:{port}"


async def _prepare(settings: Settings) -> None:
    """Migrate what is ours to migrate without asking, then say where everything is."""
    migrator = migrator_of(settings, default_features())
    if settings.is_development or settings.database.url is None:
        await migrator.upgrade()
    async with command_runtime() as runtime:
        link = await issue_setup_link(runtime)
    _greet(settings, link)


def _greet(settings: Settings, setup_link: str | None) -> None:
    console = Console(highlight=False)
    url = settings.public_url
    lines: list[tuple[str, str]] = [("Sign in", f"{url}/login"), ("Account", f"{url}/account")]
    if settings.serves_api_reference:
        lines.append(("API reference", f"{url}/docs"))
    if settings.is_development:
        lines.append(("Mail viewer", f"{url}/dev/mail"))
    console.print(f"\n  [bold]{settings.name}[/bold] on {url}\n")
    for label, address in lines:
        console.print(f"  {label:<14} {address}", soft_wrap=True)
    if setup_link:
        console.print("\n  Make the first administrator with this link, good once:", style="bold")
        console.print(f"  {setup_link}", soft_wrap=True)
    console.print()


