"""Scopes in plain words, for the pages. Those that are held in organizations are worded there."""

from collections.abc import Mapping
from typing import Final

from portico.organizations.wording import plain_words
from portico.web.translations import mark

WORDS: Final[Mapping[str, str]] = {
    "user:self:read": mark("See your profile"),
    "user:self:update": mark("Change your profile"),
    "session:self:list": mark("See where you are signed in"),
    "alert:self:list": mark("See the security alerts of your account"),
    "api_key:self:list": mark("See your API keys"),
    "oauth:self:read": mark("See the applications that you connected"),
    "oauth:self:revoke": mark("Disconnect applications"),
    "organization:self:list": mark("See to which organizations you belong"),
    "organization:self:create": mark("Make organizations in your name"),
    "organization:self:join": mark("Join organizations in your name"),
    "organization:self:switch": mark("Switch between your organizations"),
    "organization:self:restore": mark("Bring back organizations that you deleted"),
    "organization:service_account:read": mark("See the service accounts"),
}


def words_of(scope: str) -> str:
    """Return what a scope allows, a marked text; of what nobody worded, its name made readable."""
    return WORDS.get(scope) or plain_words(scope)
