"""The house in which the modules of the FAPI 2.0 plans play; each registers clients of its own."""

import pytest

from tests.oauth.kit import House


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house
