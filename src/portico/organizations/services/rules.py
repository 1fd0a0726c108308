"""How one must sign in to act in an organization; nobody makes a rule that he does not meet himself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from portico.access.services import Tenants
from portico.access.services.authorizing import judge_standing
from portico.access.types import PlatformRole, Rights, SignInRules
from portico.core.ids import OrganizationId
from portico.http.authentication import Principal
from portico.http.policies import Verdict
from portico.organizations.errors import LocksOut, SignInMethodUnknown
from portico.organizations.events import OrganizationUpdated
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import OrganizationRepository
from portico.organizations.services.acts import Acts, VersionCheck
from portico.sessions.types import AuthMethod

METHODS = tuple(method.value for method in AuthMethod)
"""Ways of signing in that can be asked for, as in `amr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The rules, and the version of the organization under which they were read."""

    rules: SignInRules
    version: int


class SignInSettings(Acts):
    """Reads and changes the rules."""

    async def get_settings(self, organization_id: OrganizationId) -> Settings:
        """Return the rules.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            organizations = OrganizationRepository(session)
            row = await organizations.get_living(organization_id)
            return Settings(rules=await organizations.get_rules(organization_id), version=row.version)

    async def change_settings(
        self,
        organization_id: OrganizationId,
        sent: Mapping[str, Any],
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> Settings:
        """Change what was sent of `min_aal`, `methods`, `max_session_age` (seconds or None); heard at once everywhere.

        Raises:
            OrganizationNotFound (404), RightsNotHeld (403), PreconditionFailed (412), SignInMethodUnknown (422).
            LocksOut: the caller's own sign-in would no longer do (409).
        """
        async with self._unit:
            row = await self._locked(
                organization_id, actor=actor, permission=OrganizationPermission.SETTINGS_UPDATE
            )
            check_version(row.version)
            organizations = OrganizationRepository(self._unit.session)
            before = await organizations.get_rules(organization_id)
            after = _changed(before, sent)
            self._refuse_lockout(actor, after)
            await Tenants(self._runtime, self._unit).set_rules(organization_id, after)
            now = self._runtime.clock.now()
            await organizations.touch(row, now)
            old, new = before.as_json(), after.as_json()
            changes = {name: (old[name], new[name]) for name in new if old[name] != new[name]}
            self._record("organization.settings_changed", organization_id, actor=actor, changes=changes)
            event = OrganizationUpdated(at=now, organization_id=organization_id, fields=("settings",))
            await self._emit(event)
            return Settings(rules=after, version=row.version)

    def _refuse_lockout(self, actor: Principal, rules: SignInRules) -> None:
        if PlatformRole.SUPERUSER in actor.roles:
            return  # rules of signing in bind members
        rights = Rights(permissions=frozenset(), rules=rules)
        if judge_standing(actor, rights, self._runtime.clock.now) is not Verdict.ALLOWED:
            raise LocksOut


def _changed(rules: SignInRules, sent: Mapping[str, Any]) -> SignInRules:
    methods = frozenset(sent.get("methods", rules.methods))
    if methods - set(METHODS):
        raise SignInMethodUnknown
    max_age = rules.max_age
    if "max_session_age" in sent:
        seconds = sent["max_session_age"]
        max_age = timedelta(seconds=seconds) if seconds else None
    return SignInRules(min_aal=sent.get("min_aal", rules.min_aal), methods=methods, max_age=max_age)
