"""The fixtures come from Portico's kit; `features` tells it what to test."""

from collections.abc import Sequence

import pytest

from notes.feature import notes_feature
from portico.app import default_features
from portico.core.settings import Settings
from portico.feature import Feature

pytest_plugins = ["portico.testing.plugin"]


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), notes_feature(Settings(public_url="http://localhost:8000"))]
