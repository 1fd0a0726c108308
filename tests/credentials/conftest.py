"""The features up to credentials, without those above; pages are not asked for here."""

from collections.abc import Sequence
from typing import Any

import pytest

from portico.app import default_features
from portico.feature import Feature
from tests.credentials.acts import CHEAP

UP_TO_CREDENTIALS = {"audit", "mail", "tokens", "access", "users", "credentials"}


@pytest.fixture
def features() -> Sequence[Feature]:
    return [feature for feature in default_features() if feature.name in UP_TO_CREDENTIALS]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": CHEAP}
