"""What alerts would tell, if somebody listens."""

from typing import Protocol

from portico.alerts.types import Severity


class AlertMeter(Protocol):
    """Counts for a metrics system; a feature that has one provides it. Called after the commit, must not raise."""

    def raised(self, rule: str, severity: Severity) -> None:
        """Count one alert."""
        ...
