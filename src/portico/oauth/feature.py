"""What the authorization server contributes to the application."""

from portico.feature import Feature
from portico.oauth.permissions import OAuthPermission
from portico.oauth.settings import OAuthSettings


def oauth_feature() -> Feature:
    """Return the declaration."""
    return Feature(name="oauth", settings=OAuthSettings, permissions=OAuthPermission)
