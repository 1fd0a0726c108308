"""The rules of this deployment: those of the catalogue and of features, as the settings want them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from portico.alerts.catalogue import RULES
from portico.alerts.counting import Novelty, Threshold
from portico.alerts.rules import AlertRule
from portico.alerts.settings import AlertsSettings, RuleSettings
from portico.feature import FeatureSet
from portico.runtime import Runtime


class RuleMisdeclared(RuntimeError):
    """Two rules have one name, or the settings speak of a rule or a figure that is none; the process does not start."""


class AlertRules:
    """Rules by name and by what they hear; `runtime.get(AlertRules)`."""

    def __init__(self, declared: Iterable[AlertRule], settings: AlertsSettings) -> None:
        self.by_name: dict[str, AlertRule] = {}
        for rule in declared:
            if rule.name in self.by_name:
                raise RuleMisdeclared(f"two rules are called {rule.name!r}")
            wanted = settings.rules.get(rule.name) or RuleSettings()
            self.by_name[rule.name] = _adjusted(rule, wanted)
        self._refuse_unknown(settings)
        silent = {name for name, wanted in settings.rules.items() if not wanted.enabled}
        self.silent = frozenset(silent)
        self._hearing: dict[str, tuple[AlertRule, ...]] = {}
        for rule in self.by_name.values():
            for action in rule.hears if rule.name not in silent else ():
                self._hearing[action] = (*self._hearing.get(action, ()), rule)

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Read the features of the process."""
        declared = runtime.get(FeatureSet).contributed(AlertRule)
        return cls((*RULES, *declared), runtime.section(AlertsSettings))

    @property
    def own(self) -> frozenset[str]:
        """Return the rules whose alerts a person finds among his own."""
        return frozenset(name for name, rule in self.by_name.items() if rule.is_own)

    def hearing(self, action: str) -> tuple[AlertRule, ...]:
        """Return the rules that hear an action."""
        return self._hearing.get(action, ())

    def _refuse_unknown(self, settings: AlertsSettings) -> None:
        unknown = settings.rules.keys() - self.by_name.keys()
        if unknown:
            raise RuleMisdeclared(f"PORTICO_ALERTS__RULES: there is no rule {min(unknown)!r}")


def _adjusted(rule: AlertRule, wanted: RuleSettings) -> AlertRule:
    counting = rule.counting
    if wanted.window is not None and isinstance(counting, Threshold | Novelty):
        counting = replace(counting, window=wanted.window)
    if wanted.threshold is not None:
        if not isinstance(counting, Threshold):
            raise RuleMisdeclared(f"PORTICO_ALERTS__RULES: {rule.name!r} has no threshold")
        counting = replace(counting, count=wanted.threshold)
    return replace(rule, counting=counting, tells=rule.tells if wanted.mail else ())
