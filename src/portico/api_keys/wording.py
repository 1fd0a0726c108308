"""Scopes in plain words, for the pages. A permission that is not among them stands there by its name."""

from collections.abc import Mapping
from typing import Final

from portico.web.translations import mark

WORDS: Final[Mapping[str, str]] = {
    "user:self:read": mark("See your profile"),
    "user:self:update": mark("Change your profile"),
    "session:self:list": mark("See where you are signed in"),
    "alert:self:list": mark("See security alerts of your account"),
    "api_key:self:list": mark("See your API keys"),
    "organization:self:list": mark("See to which organizations you belong"),
    "organization:self:create": mark("Make organizations in your name"),
    "organization:self:join": mark("Join organizations in your name"),
    "organization:self:switch": mark("Switch between your organizations"),
    "organization:self:restore": mark("Bring back organizations that you deleted"),
    "organization:organization:read": mark("See the organization"),
    "organization:organization:update": mark("Change name and address of the organization"),
    "organization:member:read": mark("See members"),
    "organization:member:invite": mark("Invite members"),
    "organization:member:update": mark("Change roles of members"),
    "organization:member:remove": mark("Remove members"),
    "organization:role:read": mark("See roles"),
    "organization:role:manage": mark("Make and change roles"),
    "organization:team:read": mark("See teams"),
    "organization:team:manage": mark("Make and change teams"),
    "organization:settings:read": mark("See settings"),
    "organization:settings:update": mark("Change settings"),
    "organization:domain:read": mark("See domains"),
    "organization:domain:manage": mark("Add and remove domains"),
    "organization:audit:read": mark("Read the audit trail"),
    "organization:api_key:read": mark("See API keys of the organization"),
    "organization:service_account:read": mark("See service accounts"),
    "organization:alert:read": mark("See security alerts of the organization"),
}


def words_of(scope: str) -> str:
    """Return what a scope allows, a marked text, or its name."""
    return WORDS.get(scope, scope)
