"""`portico alerts list|acknowledge|resolve|rules`; what they need is imported when they run."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from portico.runtime import Runtime

ALERT = typer.Argument(help="The id of the alert, as `portico alerts list` prints it.")
EVERY = typer.Option("--all", help="Also what is resolved.")
MOST = typer.Option(min=1, max=1_000, help="At most this many, the newest first.")
NOTE = typer.Option(max=500, help="What was found out; nothing personal.")


def register_commands(app: typer.Typer) -> None:
    """Add the group `alerts`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="Security alerts: list, acknowledge, resolve, rules.")
    group.command("list")(print_alerts)
    group.command("acknowledge")(acknowledge)
    group.command("resolve")(resolve)
    group.command("rules")(print_rules)
    app.add_typer(group, name="alerts")


def print_alerts(
    context: typer.Context, *, every: Annotated[bool, EVERY] = False, limit: Annotated[int, MOST] = 50
) -> None:
    """Print the alerts that nobody has resolved, the newest first."""

    async def act(runtime: "Runtime") -> list[str]:
        return await _alert_lines(runtime, every=every, limit=limit)

    for line in context.obj.run(act):
        typer.echo(line)


def acknowledge(context: typer.Context, alert_id: Annotated[UUID, ALERT]) -> None:
    """Say that somebody is at it."""

    async def act(runtime: "Runtime") -> str:
        from portico.alerts.services import Alerts

        return (await Alerts(runtime, runtime.unit()).acknowledge(alert_id, actor=None)).rule

    typer.echo(f"{context.obj.run(act)} is acknowledged.")


def resolve(
    context: typer.Context, alert_id: Annotated[UUID, ALERT], note: Annotated[str | None, NOTE] = None
) -> None:
    """Say that it is dealt with."""

    async def act(runtime: "Runtime") -> str:
        from portico.alerts.services import Alerts

        return (await Alerts(runtime, runtime.unit()).resolve(alert_id, note, actor=None)).rule

    typer.echo(f"{context.obj.run(act)} is resolved.")


def print_rules(context: typer.Context) -> None:
    """Print the rules, what they count, and how often each has spoken within a day."""
    for line in context.obj.run(_rule_lines):
        typer.echo(line)


async def _alert_lines(runtime: "Runtime", *, every: bool, limit: int) -> list[str]:
    from portico.alerts.schemas import AlertQuery
    from portico.alerts.services import Alerts
    from portico.alerts.types import AlertStatus

    lines: list[str] = []
    query = AlertQuery(page_size=100)
    while len(lines) < limit:
        page = await Alerts(runtime, runtime.unit()).list_alerts(query)
        for alert in page.data:
            if every or alert.status is not AlertStatus.RESOLVED:
                about = f"{alert.subject_type}:{alert.subject_id}" if alert.subject_id else "-"
                lines.append(
                    f"{alert.id}  {alert.raised_at:%Y-%m-%d %H:%M}  {alert.severity:<8}  {alert.status:<12}"
                    f"  {alert.rule} ({alert.count})  {about}"
                )
        if not page.pagination.has_next:
            break
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})
    return lines[:limit] or ["There are no alerts."]


async def _rule_lines(runtime: "Runtime") -> list[str]:
    from portico.alerts.book import AlertRules
    from portico.alerts.counting import Threshold
    from portico.alerts.services import Alerts

    rules = runtime.get(AlertRules)
    totals = await Alerts(runtime, runtime.unit()).totals(runtime.clock.now() - timedelta(days=1))
    raised = {total.rule: total for total in totals}
    lines = []
    for rule in rules.by_name.values():
        counting, total = rule.counting, raised.get(rule.name)
        counted = f"{counting.count} in" if isinstance(counting, Threshold) else "new within"
        window = f"{counting.window.days} days" if counting.window.days else str(counting.window)
        told = ", ".join(rule.tells) or "nobody"
        lines.append(
            f"{rule.name}  {rule.severity}  {counted} {window}  mails {told}"
            f"  raised {total.raised if total else 0}, open {total.open if total else 0}"
            f"{'  off' if rule.name in rules.silent else ''}"
        )
    return lines
