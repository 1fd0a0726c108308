"""The office from which clients are administered, and what it makes."""

from typing import Any

import pytest

from portico.runtime import Runtime
from tests.oauth.kit import House
from tests.oauth.offices import Office


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def office(house: House) -> Office:
    return await Office.of(house)


@pytest.fixture
def runtime(house: House) -> Runtime:
    return house.runtime


@pytest.fixture
def machine() -> dict[str, Any]:
    return {"kind": "machine", "scope": "tools:read"}
