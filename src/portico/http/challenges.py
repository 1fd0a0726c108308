"""What a refused caller is told about how to come back: `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, 5.1)."""

from dataclasses import dataclass

from portico.core.permissions import Permission

REALM = 'realm="portico"'


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """Where the API says who gives tokens for it; a port that an authorization server fills."""

    url: str


def challenge(metadata: ResourceMetadata | None, *, scheme: str = "Bearer", **parameters: str) -> str:
    """Return the challenge of a 401; without a credential it names no error (RFC 6750, section 3.1)."""
    if metadata is not None:
        parameters["resource_metadata"] = metadata.url
    return ", ".join([f"{scheme} {REALM}", *(f'{name}="{value}"' for name, value in parameters.items())])


def scope_challenge(metadata: ResourceMetadata | None, permission: Permission) -> str:
    """Return the challenge of a 403 for a credential that lacks a scope (RFC 6750, section 3.1; row 30.23)."""
    return challenge(metadata, error="insufficient_scope", scope=permission.value)
