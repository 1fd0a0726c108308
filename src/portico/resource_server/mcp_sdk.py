"""Says who calls in the words of the official MCP SDK; imported only where the SDK is.

With it `get_access_token()` works in tools, and the SDK keeps each session to the client and person who opened it.
The token itself is not handed on: no tool can pass it to another server (MCP authorization, token passthrough).
"""

from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from portico.resource_server.types import TokenHolder


def sdk_user(holder: TokenHolder) -> Any:
    """Return what the SDK looks for in `scope["user"]`."""
    return AuthenticatedUser(
        AccessToken(
            token="",
            client_id=holder.client_id,
            scopes=sorted(holder.scopes),
            expires_at=int(holder.expires_at.timestamp()),
            subject=holder.sub,
            claims=dict(holder.claims),
        )
    )
