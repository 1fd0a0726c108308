"""`portico organizations list|create|members|add-member|disable|enable|delete|transfer`; imports come when they run."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from portico.core.ids import OrganizationId, UserId
    from portico.runtime import Runtime

ORGANIZATION = typer.Argument(help="The id or the slug, as `portico organizations list` prints them.")
PERSON = typer.Argument(help="E-mail address, username or id.")
NAME = typer.Argument(help="What people call it.")
SLUG = typer.Option(help="A short name; made of the name if it is not given.")
ROLE = typer.Option(help="A role by its name, or by its id if the organization made it; may be given again.")
STATUS = typer.Option(help="Only those that are active, disabled or deleted.")


def register_commands(app: typer.Typer) -> None:
    """Add the group `organizations`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="Organizations: list, make, members, switch off, delete.")
    group.command("list")(print_organizations)
    group.command("create")(create)
    group.command("members")(print_members)
    group.command("add-member")(add_member)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("delete")(delete)
    group.command("transfer")(transfer)
    app.add_typer(group, name="organizations")


def print_organizations(context: typer.Context, status: Annotated[str | None, STATUS] = None) -> None:
    """Print the organizations, the newest first."""

    async def act(runtime: "Runtime") -> list[str]:
        from portico.organizations.schemas import AdminOrganizationListQuery
        from portico.organizations.services import Organizations
        from portico.organizations.types import OrganizationStatus

        wanted = _one_of(OrganizationStatus, status)
        organizations = Organizations(runtime, runtime.unit())
        query = AdminOrganizationListQuery(page_size=100, status=wanted)
        lines: list[str] = []
        while True:
            page = await organizations.list_all(query)
            lines += [f"{each.id}  {each.status.value:<9} {each.slug:<24} {each.name}" for each in page.data]
            if page.pagination.next_cursor is None:
                return lines
            query = query.model_copy(update={"cursor": page.pagination.next_cursor})

    for line in context.obj.run(act):
        typer.echo(line)


def create(
    context: typer.Context,
    name: Annotated[str, NAME],
    owner: Annotated[str, PERSON],
    slug: Annotated[str | None, SLUG] = None,
) -> None:
    """Make an organization for a person, who owns it."""

    async def act(runtime: "Runtime") -> str:
        from portico.organizations.services import NewOrganization, Organizations

        made = await Organizations(runtime, runtime.unit()).create_organization(
            NewOrganization(name=name, slug=slug), owner_id=await _person(runtime, owner), actor=None
        )
        return f"{made.id}  {made.slug}"

    typer.echo(context.obj.run(act))


def print_members(context: typer.Context, organization: Annotated[str, ORGANIZATION]) -> None:
    """Print who belongs to an organization, and as what."""

    async def act(runtime: "Runtime") -> list[str]:
        from portico.organizations.schemas import MemberListQuery
        from portico.organizations.services import Members

        where = await _organization(runtime, organization)
        members, query = Members(runtime, runtime.unit()), MemberListQuery(page_size=100)
        lines: list[str] = []
        while True:
            page = await members.list_members(where, query)
            lines += [f"{each.user_id}  {each.email:<32} {', '.join(each.roles)}" for each in page.data]
            if page.pagination.next_cursor is None:
                return lines
            query = query.model_copy(update={"cursor": page.pagination.next_cursor})

    for line in context.obj.run(act):
        typer.echo(line)


def add_member(
    context: typer.Context,
    organization: Annotated[str, ORGANIZATION],
    person: Annotated[str, PERSON],
    role: Annotated[list[str] | None, ROLE] = None,
) -> None:
    """Make a person a member, by default with the role `member`."""

    async def act(runtime: "Runtime") -> None:
        from portico.organizations.services import Members
        from portico.organizations.types import Joined

        await Members(runtime, runtime.unit()).add_member(
            await _organization(runtime, organization),
            await _person(runtime, person),
            role or ["member"],
            how=Joined.ADDED,
            actor=None,
        )

    context.obj.run(act)
    typer.echo(f"{person} is a member.")


def disable(context: typer.Context, organization: Annotated[str, ORGANIZATION]) -> None:
    """Let nobody and nothing act in an organization."""
    context.obj.run(_lifecycle(organization, lambda services, where: services.disable(where, actor=None)))
    typer.echo("Switched off.")


def enable(context: typer.Context, organization: Annotated[str, ORGANIZATION]) -> None:
    """Let the members of an organization act again."""
    context.obj.run(_lifecycle(organization, lambda services, where: services.enable(where, actor=None)))
    typer.echo("Switched on.")


def delete(context: typer.Context, organization: Annotated[str, ORGANIZATION]) -> None:
    """Close an organization; it can be restored until it is erased."""
    context.obj.run(_lifecycle(organization, lambda services, where: services.delete(where, actor=None)))
    typer.echo("Deleted.")


def transfer(
    context: typer.Context, organization: Annotated[str, ORGANIZATION], person: Annotated[str, PERSON]
) -> None:
    """Make a member the owner; who owned it so far stays as administrator."""

    async def act(runtime: "Runtime") -> None:
        from portico.organizations.services import Members

        await Members(runtime, runtime.unit()).transfer_ownership(
            await _organization(runtime, organization), await _person(runtime, person), actor=None
        )

    context.obj.run(act)
    typer.echo(f"{person} is the owner.")


def _lifecycle(
    organization: str, act: Callable[[Any, "OrganizationId"], Awaitable[Any]]
) -> Callable[["Runtime"], Awaitable[None]]:
    async def run(runtime: "Runtime") -> None:
        from portico.organizations.services import OrganizationLifecycle

        lifecycle = OrganizationLifecycle(runtime, runtime.unit())
        await act(lifecycle, await _organization(runtime, organization))

    return run


async def _organization(runtime: "Runtime", text: str) -> "OrganizationId":
    """Find an organization by id or slug.

    Raises:
        OrganizationNotFound: there is none.
    """
    from portico.core.ids import OrganizationId
    from portico.organizations.services import Organizations

    if (known := _as_id(text)) is not None:
        return OrganizationId(known)
    return (await Organizations(runtime, runtime.unit()).get_by_slug(text)).id


async def _person(runtime: "Runtime", text: str) -> "UserId":
    """Find a person by id, address or username.

    Raises:
        UserNotFound: there is none.
    """
    from portico.core.ids import PrincipalId, UserId
    from portico.users.errors import UserNotFound
    from portico.users.services import Users

    if (known := _as_id(text)) is not None:
        return UserId(PrincipalId(known))
    account = await Users(runtime, runtime.unit()).find_by_identifier(text)
    if account is None:
        raise UserNotFound
    return account.id


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _one_of(kind: Any, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise typer.BadParameter(f"one of {', '.join(kind)}") from None
