"""The applications that one has connected, as a section of the account."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.oauth.pages.questions import AccessGroup, Asker, access_groups, asker_of
from portico.oauth.permissions import OAuthPermission
from portico.oauth.protocol.refusals import Refused
from portico.oauth.schemas.connections import PageConnection
from portico.oauth.services.connections import Connection, Connections
from portico.oauth.services.resources import Resource, ResourceBook
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

PATH: Final = "/account/applications"

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A connection in plain words."""

    connection: Connection
    asker: Asker
    access: Sequence[AccessGroup]


class ConnectionsPage(AccountPage):
    """The list."""

    template = "oauth/connections.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the connections, the last connected first."""
        found = await self.connections.list_connections(account.id)
        return {"connections": [await self._shown(each) for each in found]}

    @property
    def connections(self) -> Connections:
        """Return the service, with a unit of its own for each use."""
        return Connections(self.runtime, self.runtime.unit())

    async def _shown(self, connection: Connection) -> ShownConnection:
        resources = [await self._resource(each) for each in connection.resources]
        asker = asker_of(connection.client_id, connection.source, connection.metadata)
        return ShownConnection(connection, asker, access_groups(connection.scopes, resources))

    async def _resource(self, identifier: str) -> Resource:
        """Return the API; one that is declared no more is shown by its address alone."""
        try:
            found = await self.runtime.get(ResourceBook).find(identifier)
        except Refused:
            found = None
        return found or Resource(identifier=identifier)


ConnectionsPageDep = Annotated[ConnectionsPage, Depends(ConnectionsPage)]


@router.get(PATH, dependencies=[Depends(requires(OAuthPermission.SELF_READ))])
async def show_connections(page: ConnectionsPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(f"{PATH}/disconnect", dependencies=[Depends(requires(OAuthPermission.SELF_REVOKE))])
async def disconnect(page: ConnectionsPageDep, form: FormDep) -> Response:
    """Disconnect an application."""
    try:
        client_key = form.parse(PageConnection).client_key
        await page.connections.disconnect(page.user_id, client_key, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(PATH, mark("The application is disconnected. It can do nothing in your name any more."))
