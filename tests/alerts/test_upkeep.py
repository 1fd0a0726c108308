"""Settings, health, the command line, events, retention, personal data, a team's own rules."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from portico.alerts.book import AlertRules, RuleMisdeclared
from portico.alerts.catalogue import HONEYTOKEN_USED, RULES
from portico.alerts.commands import _alert_lines, _rule_lines
from portico.alerts.counting import Threshold
from portico.alerts.health import AlertsBehind, describe_alerts
from portico.alerts.jobs import sweep
from portico.alerts.personal_data import erase_alerts, export_alerts
from portico.alerts.ports import AlertMeter
from portico.alerts.rules import AlertRule, by_actor
from portico.alerts.services import Alerts
from portico.alerts.settings import AlertsSettings
from portico.alerts.types import Severity
from portico.audit.services.sequencing import Sequencer
from portico.core.settings import Settings
from portico.feature import Feature, FeatureSet
from portico.messaging.models import OutboxRecord
from portico.runtime import Runtime
from portico.sessions.places import Places
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from tests.alerts.conftest import Follow, alerts_of, counters_of, refuse_password, write
from tests.alerts.test_rules import Atlas, enter_from
from tests.sessions.people import ADDRESS, add_person

pytestmark = pytest.mark.anyio

MANY_REFUNDS = AlertRule(
    name="many_refunds",
    title="Many refunds",
    description="Somebody gives much back.",
    severity=Severity.WARNING,
    hears=frozenset({"refund.given"}),
    group=by_actor,
    counting=Threshold(3, timedelta(hours=1)),
)


def book(*more: AlertRule, **rules: Any) -> AlertRules:
    return AlertRules((*RULES, *more), AlertsSettings(rules=rules))


def test_settings_change_threshold_window_and_mail_and_switch_off() -> None:
    rules = book(
        failed_sign_ins={"threshold": 3, "window": "5m", "mail": False}, honeytoken_used={"enabled": False}
    )
    changed = rules.by_name["failed_sign_ins"]

    assert (changed.counting, changed.tells) == (Threshold(3, timedelta(minutes=5)), ())
    assert rules.hearing("api_key.honeytoken_used") == ()
    assert rules.silent == {"honeytoken_used"}


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_ALERTS__RULES__FAILED_SIGN_INS__THRESHOLD", "25")
    monkeypatch.setenv("PORTICO_ALERTS__RULES__FAILED_SIGN_INS__WINDOW", "30m")
    section = Settings().with_sections({"alerts": AlertsSettings}).section(AlertsSettings)

    assert section.rules["failed_sign_ins"].threshold == 25
    assert section.rules["failed_sign_ins"].window == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"faild_sign_ins": {"threshold": 3}}, "no rule 'faild_sign_ins'"),
        ({"new_country": {"threshold": 3}}, "'new_country' has no threshold"),
    ],
)
def test_settings_that_mean_nothing_are_refused(rules: dict[str, Any], why: str) -> None:
    with pytest.raises(RuleMisdeclared, match=why):
        book(**rules)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(RuleMisdeclared, match="two rules"):
        book(HONEYTOKEN_USED)


class TestOwnRules:
    @pytest.fixture
    def features(self) -> list[Feature]:
        from portico.app import default_features

        return [*default_features(), Feature(name="shop", contributes={AlertRule: [MANY_REFUNDS]})]

    async def test_a_teams_rule_hears_its_own_entries(self, runtime: Runtime, follow: Follow) -> None:
        clerk = uuid4()
        for _ in range(3):
            await write(runtime, "refund.given", actor=clerk)
        await follow()

        (alert,) = await alerts_of(runtime)
        assert (alert.rule, alert.subject_id, alert.count) == ("many_refunds", clerk, 3)
        assert MANY_REFUNDS in runtime.get(FeatureSet).contributed(AlertRule)


@pytest.mark.bar("T4")
async def test_alert_is_an_event_a_log_line_and_counted(runtime: Runtime, follow: Follow) -> None:
    class Meter:
        def __init__(self) -> None:
            self.seen: list[tuple[str, Severity]] = []

        def raised(self, rule: str, severity: Severity) -> None:
            self.seen.append((rule, severity))

    meter, key = Meter(), uuid4()
    runtime.provide(AlertMeter, meter)
    with capture_logs() as entries:
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", key))
        await follow()
        await write(runtime, "api_key.honeytoken_used", subject=("api_key", key))
        await follow()
    (alert,) = await alerts_of(runtime)
    async with runtime.reads() as session:
        events = list(
            await session.scalars(select(OutboxRecord).where(OutboxRecord.name == "security.alert"))
        )
    lines = [str(entry) for entry in entries if entry["event"] == "security_alert"]

    assert meter.seen == [("honeytoken_used", Severity.CRITICAL)]
    assert len(lines) == 1
    assert f"api_key:{key}" in lines[0]
    assert [(event.payload["rule"], event.payload["alert_id"]) for event in events] == [
        ("honeytoken_used", str(alert.id))
    ]


async def test_health_tells_what_is_open_and_what_waits(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    calm = await describe_alerts(runtime)
    await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await follow()
    told = await describe_alerts(runtime)
    await write(runtime, "user.created")
    await Sequencer(runtime).run()
    clock.advance(timedelta(minutes=6))

    assert calm == "0 open; raised within a day: nothing; 0 entries unread"
    assert told == "1 open; raised within a day: honeytoken_used 1; 0 entries unread"
    with pytest.raises(AlertsBehind, match="1 entries unread, the oldest for 360 s"):
        await describe_alerts(runtime)


async def test_command_line_lists_alerts_and_rules(runtime: Runtime, follow: Follow) -> None:
    assert await _alert_lines(runtime, every=False, limit=10) == ["There are no alerts."]
    await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await follow()
    (alert,) = await alerts_of(runtime)
    (line,) = await _alert_lines(runtime, every=False, limit=10)
    rules = await _rule_lines(runtime)
    await Alerts(runtime, runtime.unit()).resolve(alert.id, actor=None)

    assert line.startswith(f"{alert.id}  ")
    assert "critical  open          honeytoken_used (1)  api_key:" in line
    assert len(rules) == len(RULES)
    assert any(each.startswith("honeytoken_used") and "raised 1, open 1" in each for each in rules)
    assert await _alert_lines(runtime, every=False, limit=10) == ["There are no alerts."]
    assert len(await _alert_lines(runtime, every=True, limit=10)) == 1


async def test_what_is_old_is_let_go_and_what_counts_is_kept(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    await refuse_password(runtime, uuid4())
    await write(runtime, "api_key.honeytoken_used", subject=("api_key", uuid4()))
    await follow()
    clock.advance(timedelta(minutes=30))
    await do_job(runtime, sweep)
    counting = {row.rule for row in await counters_of(runtime)}
    clock.advance(timedelta(days=399))
    await do_job(runtime, sweep)
    kept = await alerts_of(runtime)
    clock.advance(timedelta(days=2))
    await do_job(runtime, sweep)

    assert counting == {"failed_sign_ins", "honeytoken_used"}
    assert (await counters_of(runtime), len(kept), await alerts_of(runtime)) == ([], 1, [])


async def test_person_takes_his_alerts_along_and_leaves_ids_alone_behind(
    runtime: Runtime, clock: FrozenClock, follow: Follow
) -> None:
    ada = await add_person(runtime, ADDRESS)
    runtime.provide(Places, Atlas())
    known = await enter_from(runtime, "192.0.2.1")
    clock.advance(timedelta(days=1))
    await enter_from(runtime, "198.51.100.1", known)
    await follow()
    (alert,) = await alerts_of(runtime)
    await Alerts(runtime, runtime.unit()).resolve(alert.id, "Ada was in Berlin.", actor=None)
    async with runtime.reads() as session:
        exported = await export_alerts(ada.id, session)
    async with (unit := runtime.unit()):
        await erase_alerts(ada.id, unit, runtime)

    (left,) = await alerts_of(runtime)
    assert [(each["rule"], each["details"]) for each in exported] == [("new_country", {"country": "DE"})]
    assert (left.subject_id, left.details, left.note) == (ada.id, {}, None)
    assert await counters_of(runtime) == []
