"""`portico client …` and `portico resource …`; what they need is imported when they run.

Whoever has the command line has the database: nobody is measured here. Secrets go to standard output, once; advice goes
to standard error.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from portico.oauth.schemas.clients import ClientResponse
    from portico.oauth.schemas.resources import ResourceResponse
    from portico.oauth.services.initial_tokens import InitialToken
    from portico.oauth.services.secret_rotation import Rotated
    from portico.runtime import Runtime

NAME = typer.Argument(help="What people read when they are asked to let it in.")
CLIENT = typer.Argument(help="The client id, as `portico client list` prints it.")
KIND = typer.Option(help="browser, native, server, device, machine, mcp or fapi.")
REDIRECT = typer.Option(
    "--redirect-uri", help="Where the browser may be sent; give the option several times."
)
LOGOUT = typer.Option(
    "--post-logout-redirect-uri", help="Where it may be sent after signing out; several times."
)
SCOPE = typer.Option(
    "--scope", help="A scope that it may have; several times. Without it any that people allow."
)
JWKS_URI = typer.Option(help="Where it publishes its public keys.")
METADATA = typer.Option(help="A JSON file with further members of RFC 7591; `-` for standard input.")
FOR = typer.Option(
    "--resource", help="An API that it may ask tokens for; several times. Without it every one."
)
TRUSTED = typer.Option("--trusted", help="The team's own: nobody is asked for consent.")
WITHOUT_PKCE = typer.Option(
    "--without-pkce",
    help="Take its requests without PKCE: for an application with a secret that cannot do it and checks a nonce.",
)
CLAIMS_IN_ID_TOKEN = typer.Option(
    "--claims-in-id-token",
    help="Say name and address in the ID token too: for an application that asks nowhere else.",
)
ORGANIZATION = typer.Option(help="Whose own it is: an organization, by id.")
AS_JSON = typer.Option("--json", help="Print JSON, for scripts.")
FIND = typer.Option(help="Only clients whose name holds this, or whose id begins so.")
OVERLAP = typer.Option(min=0, max=720, help="For how many hours the secrets before stay good; by default 24.")
TOKEN_NAME = typer.Option("--name", help="Who gets it, or what for.")
USES = typer.Option(min=1, help="How many clients may be registered with it; by default any number.")
HOURS = typer.Option(min=1, max=8_760, help="For how many hours it is good; by default 7 days.")
URL = typer.Argument(help="The URL of the API: the audience of its tokens.")
MEANING = typer.Option(
    "--scope", help='A scope and what it means: `--scope tools:read="Read your tools"`; several times.'
)
API_NAME = typer.Option("--name", help="What people read.")
DEFAULT_SCOPE = typer.Option(
    help="What a request without `scope` gets, between spaces; by default all scopes."
)
DPOP = typer.Option("--requires-dpop", help="Take only tokens that are bound to a key of the client's.")
ASKER = typer.Option(
    "--introspected-by", help="The id of a client that may ask about its tokens; several times."
)
ONCE = "Keep it well: it is not shown again."


def register_commands(app: typer.Typer) -> None:
    """Add the groups. The context's object runs an async function with an open runtime."""
    clients = typer.Typer(no_args_is_help=True, help="OAuth clients: create, list, rotate, switch off.")
    clients.command("create")(create_client)
    clients.command("list")(print_clients)
    clients.command("show")(print_client)
    clients.command("rotate")(rotate_secret)
    clients.command("disable")(disable_client)
    clients.command("enable")(enable_client)
    clients.command("delete")(delete_client)
    clients.command("initial-token")(make_initial_token)
    app.add_typer(clients, name="client")
    resources = typer.Typer(
        no_args_is_help=True, help="APIs that tokens can be asked for: add, list, remove."
    )
    resources.command("add")(add_resource)
    resources.command("list")(print_resources)
    resources.command("remove")(remove_resource)
    app.add_typer(resources, name="resource")


def create_client(
    context: typer.Context,
    name: Annotated[str, NAME],
    *,
    kind: Annotated[str | None, KIND] = None,
    redirect_uri: Annotated[list[str] | None, REDIRECT] = None,
    post_logout_redirect_uri: Annotated[list[str] | None, LOGOUT] = None,
    scope: Annotated[list[str] | None, SCOPE] = None,
    jwks_uri: Annotated[str | None, JWKS_URI] = None,
    metadata: Annotated[Path | None, METADATA] = None,
    resource: Annotated[list[str] | None, FOR] = None,
    trusted: Annotated[bool, TRUSTED] = False,
    without_pkce: Annotated[bool, WITHOUT_PKCE] = False,
    claims_in_id_token: Annotated[bool, CLAIMS_IN_ID_TOKEN] = False,
    organization: Annotated[UUID | None, ORGANIZATION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Register a client and print its id, and its secret if it has one, this once."""
    members = {
        **_read_metadata(metadata),
        "client_name": name,
        "redirect_uris": redirect_uri or None,
        "post_logout_redirect_uris": post_logout_redirect_uri or None,
        "scope": " ".join(scope) if scope else None,
        "jwks_uri": jwks_uri,
    }
    decided: dict[str, Any] = {
        "is_trusted": trusted or None,
        "requires_pkce": False if without_pkce else None,
        "claims_in_id_token": claims_in_id_token or None,
        "resources": resource or None,
    }
    policy = {name: value for name, value in decided.items() if value is not None}
    given = {name: value for name, value in members.items() if value is not None}
    made = context.obj.run(lambda runtime: _created(runtime, given, policy, kind, organization))
    _print_client(made, as_json=as_json)
    if made.client_secret is not None:
        typer.echo(ONCE, err=True)


def print_clients(
    context: typer.Context,
    *,
    find: Annotated[str | None, FIND] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Print the clients, the newest first."""
    found = context.obj.run(lambda runtime: _clients(runtime, find))
    if as_json:
        _print_json(found)
        return
    for each in found:
        state = "off" if each["disabled_at"] else "on "
        line = f"{each['client_id']}  {state}  {each['source']}  {each['client_name'] or '-'}"
        typer.echo(_harmless(line))
    if not found:
        typer.echo("There are no clients.")


def print_client(
    context: typer.Context, client_id: Annotated[str, CLIENT], *, as_json: Annotated[bool, AS_JSON] = False
) -> None:
    """Print what a client is and what is decided of it."""

    async def act(runtime: "Runtime") -> "ClientResponse":
        from portico.oauth.services.client_administration import ClientAdministration

        key = await _key_of(runtime, client_id)
        return _shown(await ClientAdministration(runtime, runtime.unit()).get_client(key))

    _print_client(context.obj.run(act), as_json=as_json)


def rotate_secret(
    context: typer.Context,
    client_id: Annotated[str, CLIENT],
    *,
    overlap_hours: Annotated[int | None, OVERLAP] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Give a client a new secret and print it this once; the one before stays good for a while."""

    async def act(runtime: "Runtime") -> "Rotated":
        from datetime import timedelta

        from portico.oauth.services.secret_rotation import SecretRotation

        overlap = None if overlap_hours is None else timedelta(hours=overlap_hours)
        rotation = SecretRotation(runtime, runtime.unit())
        return await rotation.rotate_secret(await _key_of(runtime, client_id), overlap=overlap, actor=None)

    rotated: Rotated = context.obj.run(act)
    until = rotated.previous_until.isoformat()
    if as_json:
        secret = rotated.secret.text
        _print_json({"client_id": client_id, "client_secret": secret, "previous_until": until})
        return
    typer.echo(rotated.secret.text)
    typer.echo(f"{ONCE} The secrets before it are good until {until}.", err=True)


def disable_client(context: typer.Context, client_id: Annotated[str, CLIENT]) -> None:
    """Switch a client off; everything that was granted to it has ended when this returns."""

    async def act(runtime: "Runtime") -> None:
        from portico.oauth.services.client_administration import ClientAdministration

        key = await _key_of(runtime, client_id)
        await ClientAdministration(runtime, runtime.unit()).disable_client(key, actor=None)

    context.obj.run(act)
    typer.echo(f"{client_id} is off.")


def enable_client(context: typer.Context, client_id: Annotated[str, CLIENT]) -> None:
    """Switch a client on again; what was ended stays ended."""

    async def act(runtime: "Runtime") -> None:
        from portico.oauth.services.client_administration import ClientAdministration

        key = await _key_of(runtime, client_id)
        await ClientAdministration(runtime, runtime.unit()).enable_client(key, actor=None)

    context.obj.run(act)
    typer.echo(f"{client_id} is on.")


def delete_client(context: typer.Context, client_id: Annotated[str, CLIENT]) -> None:
    """Delete a client with everything that was granted to it."""

    async def act(runtime: "Runtime") -> None:
        from portico.oauth.services.client_administration import ClientAdministration

        key = await _key_of(runtime, client_id)
        clients = ClientAdministration(runtime, runtime.unit())
        await clients.delete_client(key, check_version=_any_version, actor=None)

    context.obj.run(act)
    typer.echo(f"{client_id} is deleted.")


def make_initial_token(
    context: typer.Context,
    *,
    name: Annotated[str, TOKEN_NAME],
    uses: Annotated[int | None, USES] = None,
    hours: Annotated[int | None, HOURS] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Make a token with which somebody may register clients, and print it this once."""

    async def act(runtime: "Runtime") -> "InitialToken":
        from datetime import timedelta

        from portico.oauth.services.initial_tokens import USUAL_LIFETIME, InitialTokens

        lifetime = USUAL_LIFETIME if hours is None else timedelta(hours=hours)
        tokens = InitialTokens(runtime, runtime.unit())
        return await tokens.make_token(name, uses=uses, lifetime=lifetime, actor=None)

    made: InitialToken = context.obj.run(act)
    if as_json:
        _print_json({"id": str(made.id), "token": made.text, "expires_at": made.expires_at.isoformat()})
        return
    typer.echo(made.text)
    typer.echo(f"{ONCE} It is good until {made.expires_at.isoformat()}.", err=True)


def add_resource(
    context: typer.Context,
    url: Annotated[str, URL],
    *,
    scope: Annotated[list[str] | None, MEANING] = None,
    name: Annotated[str, API_NAME] = "",
    default_scope: Annotated[str, DEFAULT_SCOPE] = "",
    requires_dpop: Annotated[bool, DPOP] = False,
    introspected_by: Annotated[list[str] | None, ASKER] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Register an API; tokens can be asked for at once."""
    facts = {
        "name": name,
        "scopes": _read_scopes(scope or []),
        "default_scope": default_scope,
        "requires_dpop": requires_dpop,
        "introspected_by": introspected_by or [],
    }

    async def act(runtime: "Runtime") -> "ResourceResponse":
        from portico.oauth.schemas.resources import CreateResourceRequest, ResourceResponse
        from portico.oauth.services.resource_administration import ResourceAdministration

        given = _checked(CreateResourceRequest, {"identifier": url, **facts}).sent()
        resources = ResourceAdministration(runtime, runtime.unit())
        return ResourceResponse.of(
            await resources.create_resource(given.pop("identifier"), given, actor=None)
        )

    made: ResourceResponse = context.obj.run(act)
    if as_json:
        _print_json(made.model_dump(mode="json"))
        return
    typer.echo(_harmless(f"{made.identifier}  {' '.join(made.scopes)}"))


def print_resources(context: typer.Context, *, as_json: Annotated[bool, AS_JSON] = False) -> None:
    """Print the APIs that tokens can be asked for, wherever they were declared."""

    async def act(runtime: "Runtime") -> list[dict[str, Any]]:
        from portico.oauth.services.resources import ResourceBook

        found = (await runtime.get(ResourceBook).all()).values()
        return [
            {"identifier": each.identifier, "name": each.name, "scopes": dict(each.scopes)} for each in found
        ]

    found: list[dict[str, Any]] = context.obj.run(act)
    if as_json:
        _print_json(found)
        return
    for each in found:
        typer.echo(_harmless(f"{each['identifier']}  {each['name']}  {_few(list(each['scopes']))}"))


def remove_resource(context: typer.Context, url: Annotated[str, URL]) -> None:
    """Remove an API; nobody gets tokens for it any more."""

    async def act(runtime: "Runtime") -> None:
        from portico.oauth.errors import ResourceNotFound
        from portico.oauth.services.resource_administration import ResourceAdministration

        resources = ResourceAdministration(runtime, runtime.unit())
        found = await resources.find_by_identifier(url)
        if found is None:
            raise ResourceNotFound
        await resources.delete_resource(found.id, check_version=_any_version, actor=None)

    context.obj.run(act)
    typer.echo(f"{url} is removed.")


async def _created(
    runtime: "Runtime",
    members: dict[str, Any],
    policy: dict[str, Any],
    kind: str | None,
    organization_id: UUID | None,
) -> "ClientResponse":
    from portico.oauth.schemas.clients import CreateClientRequest
    from portico.oauth.services.client_administration import ClientAdministration, ClientWish

    body = _checked(CreateClientRequest, {**members, "kind": kind, "policy": policy})
    wish = ClientWish(metadata=body.metadata(), policy=policy, kind=body.kind)
    clients = ClientAdministration(runtime, runtime.unit())
    return _shown(await clients.create_client(wish, actor=None, organization_id=organization_id))


async def _clients(runtime: "Runtime", find: str | None) -> list[dict[str, Any]]:
    from portico.oauth.schemas.clients import ClientListQuery
    from portico.oauth.services.client_administration import ClientAdministration
    from portico.oauth.types import ClientFilter

    found: list[dict[str, Any]] = []
    query = ClientListQuery(page_size=100, q=find)
    while True:
        clients = ClientAdministration(runtime, runtime.unit())
        page = await clients.list_clients(query, ClientFilter(), route="portico client list")
        found += [each.model_dump(mode="json") for each in page.data]
        if not page.pagination.has_next:
            return found
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})


async def _key_of(runtime: "Runtime", client_id: str) -> UUID:
    from portico.oauth.errors import ClientNotFound
    from portico.oauth.services.clients import ClientBook

    found = await runtime.get(ClientBook).find_known(client_id)
    if found is None:
        raise ClientNotFound
    return found.key


def _shown(view: Any) -> "ClientResponse":
    from portico.oauth.schemas.clients import ClientResponse
    from portico.oauth.schemas.secrets import secret_of

    return ClientResponse.of(view.row, [secret_of(each) for each in view.secrets], view.issued)


def _checked[T: "BaseModel"](shape: type[T], values: dict[str, Any]) -> T:
    from pydantic import ValidationError

    try:
        return shape.model_validate(values)
    except ValidationError as invalid:
        fault = invalid.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise typer.BadParameter(f"{where}: {str(fault['msg']).removeprefix('Value error, ')}") from None


def _read_metadata(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise typer.BadParameter("--metadata: there is no JSON object in it")
    return members


def _read_scopes(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if bad := [scope for scope, _, meaning in pairs if not scope or not meaning]:
        raise typer.BadParameter(f'--scope: write {bad[0] or "name"}="what it means"')
    return {scope: meaning for scope, _, meaning in pairs}


def _print_client(client: "ClientResponse", *, as_json: bool) -> None:
    facts = client.model_dump(mode="json", exclude_none=True)
    if as_json:
        _print_json(facts)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in ([], {}, False):
            typer.echo(_harmless(f"{name:<{width}}  {_readable(value)}"))


def _readable(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_readable(each) for each in value)
    if isinstance(value, dict):
        said = {name: each for name, each in value.items() if each not in (None, [], False)}
        return ", ".join(f"{name} {_readable(each)}" for name, each in said.items())
    return str(value)


def _few(scopes: list[str]) -> str:
    most = 8
    return " ".join(scopes[:most]) + (f" … ({len(scopes)})" if len(scopes) > most else "")


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _harmless(text: str) -> str:
    from portico.core.masking import harmless_text

    return harmless_text(text)


def _any_version(version: int) -> None:
    """Go on with whatever version there is."""
