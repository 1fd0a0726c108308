"""`portico authz explain|matrix`: why somebody may do something, and who may do what."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from portico.cli.errors import CommandRefused

if TYPE_CHECKING:
    from portico.access.services import Explanation
    from portico.core.ids import OrganizationId, PrincipalId
    from portico.core.permissions import Permission
    from portico.runtime import Runtime

USER = typer.Argument(help="Who: an e-mail address, a username, or the id of any principal.")
PERMISSION = typer.Argument(help="What: `document:document:delete`.")
RESOURCE = typer.Argument(help="On what, where a policy asks: `document:018f…`.")
ORGANIZATION = typer.Option(help="Where, for permissions that are held in an organization: its slug or id.")
CHECK = typer.Option(help="Compare with this file; print what changed and exit 1 if anything did.")
WRITE = typer.Option(help="Write to this file instead of printing.")
SIGNS = {True: "+", False: "-", None: "·"}


def register_commands(app: typer.Typer) -> None:
    """Add the group `authz`."""
    group = typer.Typer(no_args_is_help=True, help="Rights: why somebody may do something, who may do what.")
    group.command("explain")(explain)
    group.command("matrix")(print_matrix)
    app.add_typer(group, name="authz")


def explain(
    context: typer.Context,
    user: Annotated[str, USER],
    permission: Annotated[str, PERMISSION],
    resource: Annotated[str | None, RESOURCE] = None,
    organization: Annotated[str | None, ORGANIZATION] = None,
) -> None:
    """Say why somebody may do something or not, line by line; exit status 1 if not."""
    explanation: Explanation = context.obj.run(
        lambda runtime: _explained(runtime, user, permission, resource, organization)
    )
    for step in explanation.steps:
        typer.echo(f"{SIGNS[step.is_good]} {step.text}")
    typer.echo("allowed" if explanation.is_allowed else f"refused: {explanation.verdict.value}")
    if not explanation.is_allowed:
        raise typer.Exit(1)


def print_matrix(
    check: Annotated[Path | None, CHECK] = None, write: Annotated[Path | None, WRITE] = None
) -> None:
    """Print every route, and which role may call it by which credential. Commit it, and let CI `--check` it."""
    from portico.access.matrix import changes_between

    text = _matrix()
    if write is not None:
        write.write_text(text, encoding="utf-8")
    elif check is None:
        sys.stdout.write(text)
    elif changes := changes_between(check.read_text(encoding="utf-8"), text):
        typer.echo("\n".join(changes))
        raise typer.Exit(1)


def _matrix() -> str:
    from portico.access.matrix import matrix_text
    from portico.access.roles import RoleBook
    from portico.app import create_app
    from portico.cli.features import enabled_features
    from portico.core.settings import Settings
    from portico.http.routing import route_table

    settings = Settings()
    app = create_app(settings, enabled_features(settings))
    return matrix_text(route_table(app), RoleBook.of(app.state.runtime))


async def _explained(
    runtime: "Runtime", user: str, permission: str, resource: str | None, organization: str | None
) -> "Explanation":
    from portico.access.services import explain as explained

    organization_id = await _organization(runtime, organization) if organization else None
    return await explained(
        runtime,
        await _principal(runtime, user),
        _permission(runtime, permission),
        organization_id=organization_id,
        resource=await _resource(runtime, resource, organization_id) if resource else None,
    )


async def _principal(runtime: "Runtime", user: str) -> "PrincipalId":
    from portico.core.ids import PrincipalId
    from portico.users.services import Users

    if (principal_id := _uuid(user)) is not None:
        return PrincipalId(principal_id)
    account = await Users(runtime, runtime.unit()).find_by_identifier(user)
    if account is None:
        raise CommandRefused(f"there is nobody called {user!r}")
    return PrincipalId(account.id)


def _permission(runtime: "Runtime", permission: str) -> "Permission":
    from portico.access.roles import RoleBook

    found = runtime.get(RoleBook).permissions.get(permission)
    if found is None:
        raise CommandRefused(f"no feature declares the permission {permission!r}")
    return found


async def _organization(runtime: "Runtime", organization: str) -> "OrganizationId":
    from portico.core.ids import OrganizationId
    from portico.organizations.services import Organizations

    if (organization_id := _uuid(organization)) is not None:
        return OrganizationId(organization_id)
    return (await Organizations(runtime, runtime.unit()).get_by_slug(organization)).id


async def _resource(runtime: "Runtime", resource: str, organization_id: "OrganizationId | None") -> object:
    from portico.feature import FeatureSet

    kind, _, text = resource.partition(":")
    features = runtime.get(FeatureSet).features
    loaders = {name: load for feature in features for name, load in feature.resources.items()}
    if kind not in loaders:
        raise CommandRefused(
            f"no feature can find a {kind!r}; known are {', '.join(sorted(loaders)) or 'none'}"
        )
    resource_id = _uuid(text)
    async with runtime.reads(organization_id) as session:
        found = await loaders[kind](resource_id, session) if resource_id else None
    if found is None:
        raise CommandRefused(f"there is no {kind} {text!r}")
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
