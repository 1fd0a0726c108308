"""Good access tokens for the tests of the key ring and of rotation."""

import json
from typing import Any

from sqlalchemy import select

from portico.core.crypto import b64decode
from portico.keys.models import SigningKey
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime

ACCESS = KeyPurpose.ACCESS_TOKEN
ISSUER, AUDIENCE, TYP = "http://localhost:8000", "http://localhost:8000/api/v1", "at+jwt"


def claims(runtime: Runtime, **changes: Any) -> dict[str, Any]:
    now = int(runtime.clock.now().timestamp())
    return {
        "iss": ISSUER,
        "sub": "ada",
        "aud": AUDIENCE,
        "client_id": "portico",
        "iat": now,
        "exp": now + 900,
        "jti": "one",
        **changes,
    }


def verify(keyring: Keyring, token: str, purpose: KeyPurpose = ACCESS, typ: str = TYP) -> dict[str, Any]:
    return keyring.verify(token, purpose=purpose, typ=typ, audience=AUDIENCE, issuer=ISSUER)


def header_of(token: str) -> dict[str, str]:
    header: dict[str, str] = json.loads(b64decode(token.partition(".")[0]))
    return header


async def rows(runtime: Runtime) -> list[SigningKey]:
    async with runtime.reads() as session:
        return list((await session.scalars(select(SigningKey).order_by(SigningKey.signs_from))).all())
