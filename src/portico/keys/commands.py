"""`portico keys list`, `rotate` and `reseal`; what they need is imported when they run."""

from typing import TYPE_CHECKING, Annotated

import typer

from portico.keys.types import KeyPurpose, KeyState

if TYPE_CHECKING:
    from portico.keys.services import Rotated
    from portico.keys.types import Resealed
    from portico.runtime import Runtime

PURPOSE = typer.Option(help="Which tokens the key signs.")


def register_commands(app: typer.Typer) -> None:
    """Add the group `keys`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="Signing keys and the root secret.")
    group.command("list")(print_keys)
    group.command("rotate")(publish_key)
    group.command("reseal")(reseal_all)
    app.add_typer(group, name="keys")


def print_keys(context: typer.Context) -> None:
    """Print the published keys, oldest first, and when each signs and verifies."""
    states: list[KeyState] = context.obj.run(show)
    for state in states:
        typer.echo(describe(state))


def publish_key(
    context: typer.Context, purpose: Annotated[KeyPurpose, PURPOSE] = KeyPurpose.ACCESS_TOKEN
) -> None:
    """Publish a new key; it signs once everybody had time to learn of it."""
    rotated: Rotated = context.obj.run(lambda runtime: rotate(runtime, purpose=purpose))
    state = "is published" if rotated.is_new else "is waiting already"
    typer.echo(f"{rotated.kid} {state} and signs from {rotated.signs_from:%Y-%m-%d %H:%M:%S} UTC.")


def reseal_all(context: typer.Context) -> None:
    """Seal anew what is sealed under an accepted secret, so that PORTICO_ACCEPTED_SECRET_KEYS can be emptied."""
    done: list[Resealed] = context.obj.run(reseal_everything)
    for each in done:
        unopened = f", {each.unopened} THAT NO KNOWN SECRET OPENS" if each.unopened else ""
        typer.echo(f"{each.name}: {each.count} sealed anew{unopened}")
    if any(each.unopened for each in done):
        raise typer.Exit(1)


async def reseal_everything(runtime: "Runtime") -> "list[Resealed]":
    """Seal everything anew."""
    from portico.keys.services import reseal

    return await reseal(runtime)


async def rotate(runtime: "Runtime", *, purpose: KeyPurpose = KeyPurpose.ACCESS_TOKEN) -> "Rotated":
    """Publish a successor in a transaction of its own."""
    from portico.keys.services import rotate_keys

    return await rotate_keys(runtime, runtime.unit(), purpose=purpose)


async def show(runtime: "Runtime") -> list[KeyState]:
    """Return the published keys."""
    from portico.keys.services import list_keys

    return list(await list_keys(runtime))


def describe(state: KeyState) -> str:
    """Return one key as a line of text."""
    until = f"{state.signs_until:%Y-%m-%d %H:%M}" if state.signs_until else "its successor signs"
    span = f"signs from {state.signs_from:%Y-%m-%d %H:%M} until {until}"
    end = f", verifies until {state.verifies_until:%Y-%m-%d %H:%M}" if state.verifies_until else ""
    return f"{state.kid}  {state.algorithm}  {state.purpose}  {span}{end}"
