"""Registration tokens, as administrators make them: with no right that their maker does not hold."""

from datetime import timedelta

from portico.access.errors import RightsNotHeld
from portico.access.services import rules_over
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.credentials.services import RegistrationTokens
from portico.credentials.types import IssuedRegistrationToken
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime


class Invitations:
    """Makes registration tokens."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def create_token(
        self,
        *,
        actor: Principal,
        note: str | None,
        role: PlatformRole | None,
        max_uses: int,
        ttl: timedelta | None,
    ) -> IssuedRegistrationToken:
        """Make a registration token and return its secret, which is never seen again.

        Raises:
            RightsNotHeld: the role is not one that the administrator holds himself (403).
        """
        async with self._unit:
            if role is not None and not rules_over(self._runtime, actor, [role]):
                record(
                    self._runtime,
                    self._unit,
                    "admin.refused",
                    outcome=Outcome.REFUSED,
                    actor=actor,
                    reason=RightsNotHeld.code,
                )
                raise RightsNotHeld
            return await RegistrationTokens(self._runtime, self._unit).create_token(
                actor=actor, note=note, role=role, max_uses=max_uses, ttl=ttl
            )
