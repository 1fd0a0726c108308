"""The fixtures come from Portico's kit; `features` tells it what to test."""

from collections.abc import Sequence

import pytest

from portico.app import default_features
from portico.feature import Feature
from shop.feature import shop_feature

pytest_plugins = ["portico.testing.plugin"]


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), shop_feature()]
