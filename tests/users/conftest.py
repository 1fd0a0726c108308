"""The features up to credentials: whoever tests people needs somebody who has signed up."""

from tests.credentials.conftest import features, settings_overrides

__all__ = ["features", "settings_overrides"]
