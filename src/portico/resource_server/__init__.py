"""The other half of OAuth: what a team's own API or MCP server needs to take the tokens of an authorization server.

`protected_resource` declares it, for tokens of the Portico in the same process or of a server elsewhere; then nothing
of Portico has to run here. The authorization server itself is `portico.oauth`.
"""

from portico.resource_server.errors import AccessRefused
from portico.resource_server.resources import ProtectedResource, protected_resource, token_holder
from portico.resource_server.types import IntrospectionClient, TokenHolder

__all__ = [
    "AccessRefused",
    "IntrospectionClient",
    "ProtectedResource",
    "TokenHolder",
    "protected_resource",
    "token_holder",
]
