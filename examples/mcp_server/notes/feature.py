"""Puts the MCP server behind Portico: who may call it, and what a token must be good for."""

from mcp.server.transport_security import TransportSecuritySettings

from notes.server import notebook
from portico.core.settings import Settings
from portico.feature import Feature
from portico.resource_server import protected_resource

SCOPES = {"notes:read": "Read your notes", "notes:write": "Add notes in your name"}


def notes_feature(settings: Settings | None = None) -> Feature:
    """Return the declaration; the MCP server is at `/mcp` of the public URL."""
    public_url = (settings or Settings()).public_url
    resource = protected_resource(
        f"{public_url}/mcp", name="Notes", scopes=SCOPES, implied={"notes:write": ["notes:read"]}
    )
    app = notebook().streamable_http_app(
        stateless_http=True,
        json_response=True,
        # `Host` and `Origin` are checked in front of it, by the resource and by Portico's edge.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return resource.feature("notes", app, scopes=["notes:read"], tools={"add_note": ["notes:write"]})
