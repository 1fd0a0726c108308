"""The module of the OpenID Foundation's dynamic plan on clients that change their keys."""

import json
from datetime import timedelta
from typing import Any

import pytest

from portico.testing.sinks import HttpSink, answering
from tests.oauth.keyed import Keyed
from tests.oauth.kit import House
from tests.oauth.opening import SETTINGS
from tests.oauth.protocol.foreign_keys import Jwk, ec_key, public

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {**SETTINGS, "outbound": {"allow_loopback": True}}


@pytest.mark.bar("A18-18.1")
async def test_oidcc_refresh_token_rp_key_rotation(house: House) -> None:
    async with HttpSink() as sink:
        publish(sink, ec_key(), "k1")
        keyed = await Keyed.register(house, jwks=None, jwks_uri=sink.url)
        first = await keyed.exchange(await house.authorize(keyed.client))
        given = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}

        publish(sink, ec_key("new"), "k2")
        house.clock.advance(timedelta(minutes=1))
        answer = await keyed.token(assertion=keyed.assertion(key=ec_key("new"), kid="k2"), **given)

    assert answer.status_code == 200, answer.text


def publish(sink: HttpSink, key: Jwk, kid: str) -> None:
    """Publish one key and no other."""
    document = {"keys": [public(key, kid=kid)]}
    sink.behaviour = answering(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
