"""OpenTelemetry logs: OTLP/HTTP with JSON. Source: OTLP specification 1.x; data model of logs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr

from portico.audit.settings import AuditSettings
from portico.audit.sinks.http import posted
from portico.audit.sinks.port import told
from portico.audit.types import ChainedEntry, Outcome
from portico.outbound import Outbound
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

SEVERITY = {Outcome.SUCCESS: (9, "INFO"), Outcome.REFUSED: (13, "WARN"), Outcome.FAILED: (17, "ERROR")}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class OtlpSink:
    """Posts batches to a collector."""

    def __init__(
        self, outbound: Outbound, url: str, authorization: SecretStr | None, *, with_personal: bool
    ) -> None:
        self._outbound = outbound
        self._url = url
        self._authorization = authorization
        self._with_personal = with_personal

    @classmethod
    def configured(cls, runtime: Runtime) -> "OtlpSink | None":
        """Return the sink that the settings name, or None."""
        settings = runtime.section(AuditSettings)
        if settings.otlp_url is None:
            return None
        return cls(
            runtime.get(Outbound),
            settings.otlp_url,
            settings.otlp_authorization,
            with_personal=settings.ship_personal,
        )

    async def send(self, entries: Sequence[ChainedEntry]) -> None:
        """Post a batch. What a collector takes in part it wants no second time, so that is only noted in the log.

        Raises:
            SinkFailed: the answer is none, or not a 2xx.
        """
        body = json.dumps(self._request(entries), separators=(",", ":")).encode()
        answer = await posted(self._outbound, self._url, body, "application/json", self._authorization)
        if b"rejectedLogRecords" in answer.body:
            log.warning("audit_records_rejected", answer=answer.body[:500].decode(errors="replace"))

    def _request(self, entries: Sequence[ChainedEntry]) -> dict[str, Any]:
        records = [self._record(entry) for entry in entries]
        scope = {"scope": {"name": "portico.audit"}, "logRecords": records}
        resource = {"attributes": [_attribute("service.name", "portico")]}
        return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}

    def _record(self, chained: ChainedEntry) -> dict[str, Any]:
        facts = told(chained, with_personal=self._with_personal)
        number, text = SEVERITY[chained.entry.outcome]
        nanoseconds = str((chained.entry.at - _EPOCH) // _MICROSECOND * 1_000)
        return {
            "timeUnixNano": nanoseconds,
            "observedTimeUnixNano": nanoseconds,
            "severityNumber": number,
            "severityText": text,
            "eventName": chained.entry.action,
            "body": {"stringValue": f"{chained.entry.action} {chained.entry.outcome.value}"},
            "attributes": [_attribute(f"portico.audit.{name}", value) for name, value in facts.items()],
        }


def _attribute(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return {"key": key, "value": {"stringValue": text}}
