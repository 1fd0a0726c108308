"""The secrets of endpoints, sealed at rest: bound to their endpoint, so that a copied one does not open."""

from datetime import datetime
from uuid import UUID

from portico.runtime import Runtime
from portico.webhooks.types import ClaimedEndpoint

PURPOSE = "webhooks.secret"


def seal_secret(runtime: Runtime, endpoint_id: UUID, secret: bytes) -> bytes:
    """Return the secret as it is stored."""
    return runtime.secret.seal(PURPOSE, secret, context=endpoint_id.bytes, entropy=runtime.entropy)


def open_secret(runtime: Runtime, endpoint_id: UUID, sealed: bytes) -> bytes:
    """Return the secret.

    Raises:
        SealBroken: it belongs to another endpoint, or was sealed under another root secret.
    """
    return runtime.secret.open(PURPOSE, sealed, context=endpoint_id.bytes)


def secrets_in_use(runtime: Runtime, endpoint: ClaimedEndpoint, now: datetime) -> list[bytes]:
    """Return the secrets to sign under now: the present one, and the one before while both are good."""
    sealed = [endpoint.sealed_secret]
    if (
        endpoint.sealed_previous_secret is not None
        and endpoint.previous_until
        and endpoint.previous_until > now
    ):
        sealed.append(endpoint.sealed_previous_secret)
    return [open_secret(runtime, endpoint.id, one) for one in sealed]
