"""Devices that nobody let in, and grants whose last token is over, are forgotten."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from portico.oauth.models import OAuthDevice, OAuthGrant
from portico.oauth.services.housekeeping import forget_what_is_over
from tests.oauth.kit import House, claims_of

pytestmark = pytest.mark.anyio

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.bar("A16-16.1")
async def test_devices_that_waited_in_vain(house: House) -> None:
    client = await house.public_client(redirect_uris=[], grant_types=[DEVICE_CODE])
    asked = await house.http.post("/oauth/device_authorization", data=client.name)
    assert asked.status_code == 200, asked.text
    house.clock.advance(timedelta(hours=2))

    await forget_what_is_over(house.runtime)

    async with house.runtime.reads() as session:
        left = (await session.scalars(select(OAuthDevice.id))).all()
    assert list(left) == []


@pytest.mark.bar("A17-17.1")
async def test_grants_of_tokens_that_were_exchanged(house: House) -> None:
    client = await house.client(grant_types=["authorization_code", EXCHANGE])
    token = (await house.tokens(client, scope="tools:read", resource="https://api.example.com/mcp"))[
        "access_token"
    ]
    answer = await house.token(
        client,
        grant_type=EXCHANGE,
        subject_token=token,
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    grant_id = UUID(claims_of(answer.json()["access_token"])["grant_id"])

    house.clock.advance(timedelta(days=29))
    await forget_what_is_over(house.runtime)
    was_kept = await _is_known(house, grant_id)
    house.clock.advance(timedelta(days=2))
    await forget_what_is_over(house.runtime)

    assert was_kept
    assert not await _is_known(house, grant_id)


async def _is_known(house: House, grant_id: UUID) -> bool:
    async with house.runtime.reads() as session:
        return await session.get(OAuthGrant, grant_id) is not None
