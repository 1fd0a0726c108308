"""Nonces of ours in DPoP proofs, where the deployment wants them (rows 15.1, 15.2)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.oauth.keyed import Keyed, refused
from tests.oauth.kit import House
from tests.oauth.protocol.foreign_keys import ec_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A15-15.1", "A15-15.2")]

LASTING_OAUTH = {"requires_dpop_nonce": True}
OF_ITSELF: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def machine(house: House) -> Keyed:
    return await Keyed.register(
        house, redirect_uris=[], grant_types=["client_credentials"], proof_key=ec_key("proof")
    )


async def test_a_proof_without_a_nonce_is_told_one(house: House) -> None:
    keyed = await machine(house)

    first = await keyed.token(**OF_ITSELF)
    keyed.nonce = first.headers["dpop-nonce"]
    second = await keyed.token(**OF_ITSELF)

    refused(first, "use_dpop_nonce")
    assert second.status_code == 200, second.text


async def test_a_nonce_is_ours_and_of_now(house: House) -> None:
    keyed = await machine(house)
    keyed.nonce = (await keyed.token(**OF_ITSELF)).headers["dpop-nonce"]
    house.clock.advance(timedelta(minutes=6))

    old = await keyed.token(**OF_ITSELF)
    keyed.nonce = "made-up"
    foreign = await keyed.token(**OF_ITSELF)

    refused(old, "use_dpop_nonce")
    refused(foreign, "use_dpop_nonce")


async def test_the_pushed_request_wants_one_too(house: House) -> None:
    keyed = await Keyed.register(house, proof_key=ec_key("proof"))

    first = await keyed.try_push(headers=keyed.bound("/oauth/par"))
    keyed.nonce = first.headers["dpop-nonce"]
    second = await keyed.try_push(headers=keyed.bound("/oauth/par"))

    refused(first, "use_dpop_nonce")
    assert second.status_code == 201, second.text
