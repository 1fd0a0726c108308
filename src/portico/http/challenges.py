"""What a refused caller is told about how to come back: `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, 5.1)."""

from dataclasses import dataclass

from portico.core.permissions import Permission

REALM = 'Bearer realm="portico"'


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """Where the API says who gives tokens for it; a port that an authorization server fills."""

    url: str


def challenge(
    metadata: ResourceMetadata | None, *, error: str | None = None, description: str | None = None
) -> str:
    """Return the challenge of a 401; without a credential it names no error (RFC 6750, section 3.1)."""
    said = [REALM]
    if error is not None:
        said.append(f'error="{error}"')
    if description is not None:
        said.append(f'error_description="{description}"')
    if metadata is not None:
        said.append(f'resource_metadata="{metadata.url}"')
    return ", ".join(said)


def scope_challenge(metadata: ResourceMetadata | None, permission: Permission) -> str:
    """Return the challenge of a 403 for a credential that lacks a scope (RFC 6750, section 3.1; row 30.23)."""
    where = f', resource_metadata="{metadata.url}"' if metadata is not None else ""
    return f'{REALM}, error="insufficient_scope", scope="{permission.value}"{where}'
