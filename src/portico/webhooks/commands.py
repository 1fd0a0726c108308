"""`portico webhooks list|test|replay|listen`; what they need is imported when they run."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from portico.runtime import Runtime

ENDPOINT = typer.Argument(help="The id of the endpoint, as `portico webhooks list` prints it.")
DELIVERY = typer.Argument(help="The id of the delivery, from the log.")
PORT = typer.Option(min=1, max=65_535, help="Where to listen, on loopback.")
SECRET = typer.Option(
    help="The endpoint's secret (whsec_…): signatures are checked.", envvar="WEBHOOK_SECRET"
)
STATUS = typer.Option(min=200, max=599, help="What to answer; 500 to see how retries look.")


def register_commands(app: typer.Typer) -> None:
    """Add the group `webhooks`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="Webhooks: list endpoints, test, replay, listen.")
    group.command("list")(print_endpoints)
    group.command("test")(send_test)
    group.command("replay")(replay)
    group.command("listen")(listen)
    app.add_typer(group, name="webhooks")


def print_endpoints(context: typer.Context) -> None:
    """Print the endpoints, newest first, and how they are doing."""
    for line in context.obj.run(_endpoint_lines):
        typer.echo(line)


def send_test(context: typer.Context, endpoint_id: Annotated[UUID, ENDPOINT]) -> None:
    """Put a test event for an endpoint into the queue."""

    async def act(runtime: "Runtime") -> UUID:
        from portico.webhooks.services import Endpoints

        return await Endpoints(runtime, runtime.unit()).send_test(endpoint_id)

    typer.echo(f"{context.obj.run(act)} is in the queue; a running server or worker sends it.")


def replay(context: typer.Context, delivery_id: Annotated[UUID, DELIVERY]) -> None:
    """Put a delivery into the queue again, under the same message id."""

    async def act(runtime: "Runtime") -> str:
        from portico.webhooks.services import Deliveries

        return (await Deliveries(runtime, runtime.unit()).replay(delivery_id)).message_id

    typer.echo(f"{context.obj.run(act)} is in the queue; a running server or worker sends it.")


def listen(
    port: Annotated[int, PORT] = 9000,
    secret: Annotated[str | None, SECRET] = None,
    status: Annotated[int, STATUS] = 204,
) -> None:
    """Take every webhook that is posted to this machine, check its signature and print it; Ctrl-C ends it."""
    from portico.webhooks.listener import make_listener
    from portico.webhooks.signing import read

    try:
        key = read(secret) if secret else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    server = make_listener(port, secret=key, status=status, echo=typer.echo)
    typer.echo(f"Listening on http://127.0.0.1:{port}/. The server delivers here with")
    typer.echo("PORTICO_OUTBOUND__ALLOW_LOOPBACK=true.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


async def _endpoint_lines(runtime: "Runtime") -> list[str]:
    from portico.webhooks.schemas import EndpointListQuery
    from portico.webhooks.services import Endpoints

    lines: list[str] = []
    query = EndpointListQuery(page_size=100)
    while True:
        page = await Endpoints(runtime, runtime.unit()).list_endpoints(query)
        for endpoint in page.data:
            state = endpoint.disabled_reason or ("failing" if endpoint.failing_since else endpoint.status)
            lines.append(f"{endpoint.id}  {state}  {endpoint.url}  {' '.join(endpoint.event_names)}")
        if not page.pagination.has_next:
            return lines or ["There are no endpoints."]
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})
