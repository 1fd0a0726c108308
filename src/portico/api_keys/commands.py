"""`portico api-keys …` and `portico service-accounts …`; what they need is imported when they run.

Whoever has the command line has the database: nobody is measured here. What a key may do is bounded by what its holder
holds when it is used, like that of every key.
"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from portico.core.ids import UserId
    from portico.runtime import Runtime

KEY = typer.Argument(help="The id of the key, as `portico api-keys list` prints it.")
NAME = typer.Option(help="To tell it from others: where it is used.")
SCOPE = typer.Option(help="A permission; give the option several times.")
EMAIL = typer.Option(help="For whom it acts: a person, by e-mail address.")
ORGANIZATION = typer.Option(help="The organization, by id.")
DAYS = typer.Option(min=1, help="For how many days it is good; by default 90.")
NETWORK = typer.Option(help="From where it may be used; give the option several times.")
ACCOUNT = typer.Option(help="For whom it acts: a service account of the organization, by id.")
FIND = typer.Option(help="Only keys whose name holds this, or that begin with these eight characters.")
DESCRIPTION = typer.Option(help="What it is for.")
ROLE = typer.Option(help="A role in the organization; give the option several times.")


def register_commands(app: typer.Typer) -> None:
    """Add the groups. The context's object runs an async function with an open runtime."""
    keys = typer.Typer(no_args_is_help=True, help="API keys: list, create, revoke.")
    keys.command("list")(print_keys)
    keys.command("create")(create_key)
    keys.command("revoke")(revoke_key)
    app.add_typer(keys, name="api-keys")
    accounts = typer.Typer(no_args_is_help=True, help="Service accounts of an organization: list, create.")
    accounts.command("list")(print_accounts)
    accounts.command("create")(create_account)
    app.add_typer(accounts, name="service-accounts")


def print_keys(context: typer.Context, find: Annotated[str | None, FIND] = None) -> None:
    """Print the keys, the newest first."""

    async def act(runtime: "Runtime") -> list[str]:
        return await _key_lines(runtime, find)

    for line in context.obj.run(act):
        typer.echo(line)


def create_key(
    context: typer.Context,
    *,
    name: Annotated[str, NAME],
    scope: Annotated[list[str], SCOPE],
    email: Annotated[str | None, EMAIL] = None,
    organization: Annotated[UUID | None, ORGANIZATION] = None,
    service_account: Annotated[UUID | None, ACCOUNT] = None,
    network: Annotated[list[str] | None, NETWORK] = None,
    days: Annotated[int | None, DAYS] = None,
) -> None:
    """Make a key for a person, or for a service account or the organization itself, and print it this once."""
    if email is None and organization is None:
        raise typer.BadParameter("name a person (--email) or an organization (--organization)")
    if email is not None and service_account is not None:
        raise typer.BadParameter("a key acts for a person or for a service account, not for both")

    async def act(runtime: "Runtime") -> str:
        from datetime import timedelta

        from portico.api_keys.services import ApiKeys
        from portico.api_keys.types import NewKey
        from portico.core.ids import OrganizationId

        new = NewKey(
            name=name,
            scopes=scope,
            organization_id=OrganizationId(organization) if organization else None,
            service_account_id=service_account,
            networks=network or (),
            expires_at=runtime.clock.now() + timedelta(days=days) if days else None,
        )
        keys = ApiKeys(runtime, runtime.unit())
        if email is not None:
            return str((await keys.create_for_person(await _person(runtime, email), new, actor=None)).text)
        return str((await keys.create_for_organization(new, actor=None)).text)

    typer.echo(context.obj.run(act))
    typer.echo("Keep it well: it is not shown again.", err=True)


def revoke_key(context: typer.Context, key_id: Annotated[UUID, KEY]) -> None:
    """End a key, whosever it is; it is refused everywhere when this returns."""

    async def act(runtime: "Runtime") -> None:
        from portico.api_keys.services import ApiKeys
        from portico.api_keys.types import Belonging

        await ApiKeys(runtime, runtime.unit()).revoke_key(key_id, Belonging.to_anybody(), actor=None)

    context.obj.run(act)
    typer.echo(f"{key_id} is revoked.")


def print_accounts(context: typer.Context, organization: Annotated[UUID, ORGANIZATION]) -> None:
    """Print the service accounts of an organization, the newest first."""

    async def act(runtime: "Runtime") -> list[str]:
        return await _account_lines(runtime, organization)

    for line in context.obj.run(act):
        typer.echo(line)


def create_account(
    context: typer.Context,
    organization: Annotated[UUID, ORGANIZATION],
    name: Annotated[str, NAME],
    role: Annotated[list[str] | None, ROLE] = None,
    description: Annotated[str, DESCRIPTION] = "",
) -> None:
    """Make a service account and print its id."""

    async def act(runtime: "Runtime") -> UUID:
        from portico.api_keys.services import ServiceAccounts
        from portico.api_keys.types import NewServiceAccount
        from portico.core.ids import OrganizationId

        new = NewServiceAccount(name=name, description=description, roles=role or ())
        accounts = ServiceAccounts(runtime, runtime.unit())
        return (await accounts.create_account(OrganizationId(organization), new, actor=None)).id

    typer.echo(context.obj.run(act))


async def _person(runtime: "Runtime", email: str) -> "UserId":
    from portico.users.addresses import parse_address
    from portico.users.errors import UserNotFound
    from portico.users.services import Users

    found = await Users(runtime, runtime.unit()).find_by_email(parse_address(email))
    if found is None:
        raise UserNotFound
    return found.id


async def _key_lines(runtime: "Runtime", find: str | None) -> list[str]:
    from portico.api_keys.schemas import AdminKeyListQuery
    from portico.api_keys.services import ApiKeys
    from portico.api_keys.types import Belonging

    lines: list[str] = []
    query = AdminKeyListQuery(page_size=100, q=find)
    while True:
        page = await ApiKeys(runtime, runtime.unit()).list_keys(
            Belonging.to_anybody(), query, query.wanted(), route="portico api-keys list"
        )
        for key in page.data:
            ends = key.expires_at.date().isoformat() if key.expires_at else "never"
            lines.append(f"{key.id}  {key.prefix}…  {key.kind}  {key.state}  ends {ends}  {key.name}")
        if not page.pagination.has_next:
            return lines or ["There are no API keys."]
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})


async def _account_lines(runtime: "Runtime", organization_id: UUID) -> list[str]:
    from portico.api_keys.schemas import ServiceAccountListQuery
    from portico.api_keys.services import ServiceAccounts
    from portico.core.ids import OrganizationId

    lines: list[str] = []
    query = ServiceAccountListQuery(page_size=100)
    while True:
        accounts = ServiceAccounts(runtime, runtime.unit())
        page = await accounts.list_accounts(OrganizationId(organization_id), query)
        for account in page.data:
            state = "disabled" if account.disabled_at else "enabled"
            lines.append(f"{account.id}  {state}  {account.name}  {' '.join(account.roles)}")
        if not page.pagination.has_next:
            return lines or ["There are no service accounts."]
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})
