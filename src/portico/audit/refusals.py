"""Refused requests on the trail, counted: one entry a minute for each caller and kind, whatever he sends.

Counted in the memory of the process and written when the minute is over, with the number of refusals. An attacker
must not be able to fill the trail: of the callers of a minute only so many get an entry each, and all others share one
for each kind. What a process that is killed has counted since the last minute is lost; its log has the requests.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from portico.audit.services.recording import record
from portico.audit.settings import AuditSettings
from portico.audit.types import Outcome
from portico.core.context import current_request
from portico.http.edge.addresses import client_of
from portico.http.refusals import RefusalKind
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

SECONDS: Final = 60
OTHERS: Final = "others"
"""The reason of entries that many callers share."""

type _Key = tuple[RefusalKind, str, str]


@dataclass(slots=True)
class _Tally:
    """The refusals of one caller and kind within one minute."""

    who: UUID | None
    address: str | None
    user_agent: str | None
    first_at: datetime
    count: int = 0


class RefusalTally:
    """Counts; `note` is called by the edge, `write` by the periodic work of the process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._most = runtime.section(AuditSettings).refusal_entries
        self._minute = 0
        self._now: dict[_Key, _Tally] = {}
        self._over: list[tuple[_Key, _Tally]] = []

    def note(self, kind: RefusalKind, reason: str, who: UUID | None) -> None:
        """Count one refusal of the request under way."""
        if not self._most:
            return
        at, request = self._runtime.clock.now(), current_request()
        self._turn(at)
        caller = str(who) if who else client_of(request.client_address or "").key
        tally = self._now.get((kind, reason, caller))
        if tally is None:
            tally = self._opened((kind, reason, caller), who, at)
        tally.count += 1

    async def write(self) -> int:
        """Write what was counted in minutes that are over; return how many entries that made."""
        self._turn(self._runtime.clock.now())
        over, self._over = self._over, []
        if not over:
            return 0
        try:
            await self._record(over)
        except BaseException:
            self._over = (over + self._over)[: self._at_most]
            raise
        return len(over)

    async def write_last(self) -> None:
        """Write all of it, because the process ends; a database that is away does not keep it from that."""
        self._close()
        try:
            await self.write()
        except Exception:
            log.exception("refusals_lost", entries=len(self._over))

    @property
    def _at_most(self) -> int:
        """Return how many entries wait at most: those of three minutes, should the database be away."""
        return 3 * (self._most + len(RefusalKind))

    def _opened(self, key: _Key, who: UUID | None, at: datetime) -> _Tally:
        if len(self._now) < self._most:
            request = current_request()
            fresh = _Tally(who, request.client_address, request.user_agent, at)
            return self._now.setdefault(key, fresh)
        return self._now.setdefault((key[0], OTHERS, ""), _Tally(None, None, None, at))

    def _turn(self, at: datetime) -> None:
        minute = int(at.timestamp()) // SECONDS
        if minute != self._minute:
            self._close()
            self._minute = minute

    def _close(self) -> None:
        self._over = [*self._over, *self._now.items()][: self._at_most]
        self._now = {}

    async def _record(self, over: Iterable[tuple[_Key, _Tally]]) -> None:
        async with (unit := self._runtime.unit()):
            for (kind, reason, _), tally in over:
                personal = {"client_address": tally.address, "user_agent": tally.user_agent}
                record(
                    self._runtime,
                    unit,
                    kind.value,
                    outcome=Outcome.REFUSED,
                    actor=tally.who,
                    reason=reason,
                    details={"count": tally.count, "since": tally.first_at.isoformat()},
                    personal={name: value for name, value in personal.items() if value},
                )


async def write_refusals(runtime: Runtime) -> int:
    """Write what this process has counted; see `RefusalTally`."""
    tally = runtime.find(RefusalTally)
    return await tally.write() if tally is not None else 0
