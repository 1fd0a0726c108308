"""What a protected resource says of itself, and where (RFC 9728).

A client finds the document from the URL of the resource, and with it the authorization servers; it believes only a
document whose `resource` is that very URL (section 3.3).
"""

from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.scopes import OFFLINE_ACCESS
from portico.oauth.protocol.uris import read_http_uri

DOCUMENT = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDescription:
    """A resource, identified by its URL exactly as clients are given it."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    name: str | None = None
    documentation: str | None = None
    dpop_algorithms: tuple[str, ...] = ()
    requires_dpop: bool = False
    binds_to_certificates: bool = False
    details_types: tuple[str, ...] = ()


def resource_metadata(description: ResourceDescription) -> dict[str, Any]:
    """Return the document (section 2). Tokens come in the header only; `offline_access` is no scope of a resource.

    Raises:
        ValueError: no authorization server is named, so that no client could go on (MCP authorization).
    """
    if not description.authorization_servers:
        raise ValueError("a protected resource needs an authorization server")
    said: dict[str, Any] = {
        "resource_name": description.name,
        "scopes_supported": [scope for scope in description.scopes if scope != OFFLINE_ACCESS],
        "resource_documentation": description.documentation,
        "dpop_signing_alg_values_supported": list(description.dpop_algorithms),
        "dpop_bound_access_tokens_required": description.requires_dpop,
        "tls_client_certificate_bound_access_tokens": description.binds_to_certificates,
        "authorization_details_types_supported": list(description.details_types),
    }
    return {
        "resource": description.resource,
        "authorization_servers": list(description.authorization_servers),
        "bearer_methods_supported": ["header"],
        **{name: value for name, value in said.items() if value},
    }


def document_path(resource: str) -> str:
    """Return path and query of the document: the well-known part stands between host and path (section 3.1).

    A slash that is all of the path is dropped.

    Raises:
        ValueError: the resource is no http or https URI without a fragment.
    """
    parts = read_http_uri(resource)
    if parts is None or parts.fragment:
        raise ValueError("a protected resource is identified by an http or https URL without a fragment")
    path = "" if parts.path == "/" else parts.path
    return f"{DOCUMENT}{path}{parts.query}"


def document_url(resource: str) -> str:
    """Return the whole URL of the document, on the host of the resource.

    Raises:
        ValueError: as `document_path`.
    """
    path = document_path(resource)
    parts = read_http_uri(resource)
    if parts is None:  # document_path has refused it
        raise ValueError(resource)
    return f"{parts.scheme}://{parts.authority}{path}"
