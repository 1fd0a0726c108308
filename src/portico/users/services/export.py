"""What a person may take along: everything that the features hold of him, as JSON (GDPR, articles 15 and 20)."""

from typing import Any

from portico.audit.services import record
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import FeatureSet
from portico.http.authentication import Principal
from portico.runtime import Runtime


class PersonalDataExport:
    """Collects the sections of all features."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def export_data(self, user_id: UserId, *, actor: Principal | None = None) -> dict[str, Any]:
        """Return one entry for each section; the export itself is on the trail."""
        sections: dict[str, Any] = {
            "exported_at": self._runtime.clock.now().isoformat(),
            "user_id": str(user_id),
        }
        async with self._runtime.reads() as session:
            for held in self._runtime.get(FeatureSet).personal_data:
                if held.export is not None:
                    sections[held.section] = await held.export(user_id, session)
        async with self._unit:
            record(
                self._runtime,
                self._unit,
                "user.data_exported",
                actor=actor or user_id,
                subject=("user", user_id),
            )
        return sections
