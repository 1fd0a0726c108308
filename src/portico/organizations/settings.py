"""Settings of organizations, read as `PORTICO_ORGANIZATIONS__*`."""

from datetime import timedelta

from pydantic import Field

from portico.core.settings import FeatureSettings
from portico.organizations.types import Creation


class OrganizationsSettings(FeatureSettings):
    """Who makes organizations, and how long a deleted one can be had back."""

    creation: Creation = Creation.ANYONE
    """Who may make one: `anyone` who is signed in, or `administrators` of the deployment only."""
    max_owned: int = Field(20, ge=1, le=10_000)
    """How many organizations one person may own before he is refused another."""
    deletion_grace: timedelta = Field(timedelta(days=14), ge=timedelta(0), le=timedelta(days=365))
    """How long a deleted organization can be restored; then its rows are deleted."""
