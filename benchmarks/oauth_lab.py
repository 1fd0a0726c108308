"""What stands in the database before the authorization server is measured: `python -m benchmarks.oauth_lab`.

`clients` registers a service and a web application and prints them as JSON; `codes <user> <client key> <count>` makes
as many people's grants, each with a code that is good now, and prints the codes. Both write past the server, which
cannot make as many as a benchmark spends: a code is good once.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from benchmarks.oauth_wire import CALLBACK, SCOPE, VERIFIER
from portico.app import default_features
from portico.composition import compose, opened
from portico.core.ids import new_id
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.keys.services import ensure_keys
from portico.keys.types import KeyPurpose
from portico.oauth.models import OAuthGrant
from portico.oauth.protocol.rfc7591_registration import AUTH_METHODS, RegistrationPolicy, read_metadata
from portico.oauth.protocol.rfc7636_pkce import make_challenge
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import CODES, ClientSource, GrantType
from portico.runtime import Runtime

BATCH = 1_000
POLICY = RegistrationPolicy(auth_methods=AUTH_METHODS)
MACHINE = {"client_name": "Service", "grant_types": ["client_credentials"], "response_types": []}
WEB = {
    "client_name": "Web application",
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": [CALLBACK],
}


async def register_clients(runtime: Runtime) -> None:
    """Print both clients: id, secret, key. The key for ID tokens is made, too, as the first authorization does."""
    await ensure_keys(runtime, [KeyPurpose.ID_TOKEN])
    print(json.dumps([await _registered(runtime, members) for members in (MACHINE, WEB)]))


async def _registered(runtime: Runtime, members: dict[str, Any]) -> dict[str, str]:
    metadata = read_metadata(members, POLICY)
    made = await ClientRegistry(runtime, runtime.unit()).register_client(metadata, ClientSource.ADMINISTRATOR)
    if made.secret is None:
        raise RuntimeError("the client has no secret")
    return {"id": made.client_id, "secret": made.secret.text, "key": str(made.key)}


async def make_codes(runtime: Runtime, user: str, client_key: str, count: str) -> None:
    """Print a code for each of `count` new grants."""
    now, lifetime = runtime.clock.now(), runtime.section(OAuthSettings).code_lifetime
    codes = [CODES.make(runtime.entropy) for _ in range(int(count))]
    for first in range(0, len(codes), BATCH):
        rows = [
            _grant(UUID(user), UUID(client_key), code, now, now + lifetime)
            for code in codes[first : first + BATCH]
        ]
        async with (unit := runtime.unit()):
            await unit.session.execute(insert(OAuthGrant), rows)
    print(json.dumps(codes))


def _grant(user: UUID, client_key: UUID, code: str, now: datetime, until: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "client_key": client_key,
        "user_id": user,
        "organization_id": None,
        "session_id": None,
        "parent_id": None,
        "kind": GrantType.AUTHORIZATION_CODE,
        "is_offline": True,
        "scope": SCOPE,
        "resources": [],
        "details": [],
        "context": {
            "nonce": "n-0S6_WzA2Mj",
            "auth_time": int(now.timestamp()),
            "acr": "aal1",
            "amr": ["pwd"],
        },
        "jkt": None,
        "x5t": None,
        "code_hash": CODES.hash_of(code),
        "code_expires_at": until,
        "code_spent_at": None,
        "redirect_uri": CALLBACK,
        "challenge": make_challenge(VERIFIER),
        "created_at": now,
        "last_used_at": None,
        "ended_at": None,
        "ended_reason": None,
    }


WORKS: dict[str, Callable[..., Awaitable[None]]] = {"clients": register_clients, "codes": make_codes}


async def main(what: str, *arguments: str) -> None:
    """Open a runtime that follows nobody and do one thing."""
    settings = Settings()
    configure_logging(settings, sys.stderr)
    async with opened(compose(settings, default_features()), follows=False) as runtime:
        await WORKS[what](runtime, *arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
