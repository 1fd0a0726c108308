"""The fixtures come from Portico's kit; `features` tells it what to test."""

from collections.abc import Sequence

import pytest

from documents.feature import documents_feature
from portico.app import default_features
from portico.feature import Feature

pytest_plugins = ["portico.testing.plugin"]


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), documents_feature()]
