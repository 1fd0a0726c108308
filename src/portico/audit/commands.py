"""`portico audit verify|export|search|checkpoint|prune|public-key`; what they need is imported when they run."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from portico.audit.checkpoints import Checkpoint
    from portico.audit.schemas import TrailQuery
    from portico.audit.types import TrailEntry, Verdict
    from portico.runtime import Runtime

ORGANIZATION = typer.Option(help="Only this organization's part.")
CHECKPOINTS = typer.Option(
    "--checkpoint",
    help="A file with checkpoints that were kept elsewhere: a log, or what `checkpoint` printed.",
)
AS_JSON = typer.Option("--json", help="Print JSON, for scripts.")
FILE = typer.Option("--file", help="Verify this export instead of the database.")
PUBLIC_KEY = typer.Option(help="The key that signs checkpoints, as `portico audit public-key` prints it.")
SINCE = typer.Option(help="From this moment on (ISO 8601; without a zone: UTC).")
UNTIL = typer.Option(help="Before this moment.")
FORMAT = typer.Option("--format", help="`jsonl` can be verified, `csv` is for spreadsheets.")
OUTPUT = typer.Option("--output", "-o", help="Write to this file; it must not be there yet.")
WITHOUT_PERSONAL = typer.Option("--without-personal", help="Leave out addresses, user agents and the like.")
ACTION = typer.Option(help="Only actions that begin so, such as `session.`")
OF_ACTOR = typer.Option(help="Only acts of this principal.")
OF_SUBJECT = typer.Option(help="Only acts on this thing.")
OUTCOME = typer.Option(help="Only acts that ended so.")
REQUEST = typer.Option("--request", help="Only what happened in this request.")
LIMIT = typer.Option(min=1, max=10_000, help="How many lines, the newest first.")
BEFORE = typer.Option(help="Let go what is older than this; default: what PORTICO_AUDIT__KEEP says.")


def register_commands(app: typer.Typer) -> None:
    """Add the group `audit`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="The audit trail: verify, export, search, prune.")
    group.command("verify")(verify)
    group.command("export")(export)
    group.command("search")(search)
    group.command("checkpoint")(print_checkpoints)
    group.command("public-key")(print_public_key)
    group.command("prune")(prune)
    app.add_typer(group, name="audit")


def verify(
    context: typer.Context,
    *,
    organization: Annotated[UUID | None, ORGANIZATION] = None,
    checkpoint: Annotated[Path | None, CHECKPOINTS] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    file: Annotated[Path | None, FILE] = None,
    public_key: Annotated[str | None, PUBLIC_KEY] = None,
) -> None:
    """Look for edits, deletions and reordering; name the first bad entry and exit with 1. A failure is on the trail.

    With --file an export is verified by the public key alone, without database and without secret.
    """
    if file is not None:
        verdict = _verdict_of_file(file, public_key)
    else:
        known = _checkpoints_in(checkpoint) if checkpoint else []

        async def look(runtime: "Runtime") -> "Verdict":
            from portico.audit.services.verifying import note_failure, verify_trail

            found = await verify_trail(runtime, organization_id=organization, known=known)
            if not found.is_sound:
                await note_failure(runtime, found)
            return found

        verdict = context.obj.run(look)
    _print_verdict(verdict, as_json=as_json)
    if not verdict.is_sound:
        raise typer.Exit(1)


def export(
    context: typer.Context,
    *,
    organization: Annotated[UUID | None, ORGANIZATION] = None,
    since: Annotated[datetime | None, SINCE] = None,
    until: Annotated[datetime | None, UNTIL] = None,
    format_: Annotated[Literal["jsonl", "csv"], FORMAT] = "jsonl",
    output: Annotated[Path | None, OUTPUT] = None,
    without_personal: Annotated[bool, WITHOUT_PERSONAL] = False,
) -> None:
    """Write the trail, or a stretch of it, to a file or to standard output."""

    async def write(runtime: "Runtime") -> int:
        from portico.audit.services.exporting import Export, Stretch, note_export

        stretch = Stretch(
            organization_id=organization,
            is_everything=organization is None,
            since=_in_utc(since),
            until=_in_utc(until),
        )
        await note_export(runtime, stretch, format_)
        made = Export(runtime, stretch, with_personal=not without_personal)
        return await _written(made.json_lines() if format_ == "jsonl" else made.csv_lines(), output)

    lines = context.obj.run(write)
    typer.echo(f"Lines written: {lines}", err=True)


def search(
    context: typer.Context,
    *,
    organization: Annotated[UUID | None, ORGANIZATION] = None,
    action: Annotated[str | None, ACTION] = None,
    actor: Annotated[UUID | None, OF_ACTOR] = None,
    subject: Annotated[UUID | None, OF_SUBJECT] = None,
    outcome: Annotated[Literal["success", "refused", "failed"] | None, OUTCOME] = None,
    request: Annotated[str | None, REQUEST] = None,
    since: Annotated[datetime | None, SINCE] = None,
    until: Annotated[datetime | None, UNTIL] = None,
    limit: Annotated[int, LIMIT] = 50,
) -> None:
    """Print entries, the newest first, one a line."""

    async def look(runtime: "Runtime") -> list[str]:
        from portico.audit.schemas import TrailQuery
        from portico.audit.types import Outcome

        query = TrailQuery(
            page_size=min(limit, 100),
            organization_id=organization,
            action_prefix=action,
            actor_id=actor,
            subject_id=subject,
            outcome=Outcome(outcome) if outcome else None,
            request_id=request,
            since=_in_utc(since),
            until=_in_utc(until),
        )
        return await _found(runtime, query, limit)

    for line in context.obj.run(look):
        typer.echo(line)


def print_checkpoints(
    context: typer.Context, organization: Annotated[UUID | None, ORGANIZATION] = None
) -> None:
    """Print the newest signed checkpoint of each stream; keep them where this database cannot reach."""

    async def look(runtime: "Runtime") -> "list[Checkpoint]":
        from portico.audit.services.exporting import newest_checkpoints

        return await newest_checkpoints(runtime, organization)

    for checkpoint in context.obj.run(look):
        typer.echo(str(checkpoint))


def print_public_key(context: typer.Context) -> None:
    """Print the key by which anybody can check checkpoints and exports, and behind it those of former secrets."""

    async def look(runtime: "Runtime") -> str:
        from portico.audit.trail_keys import TrailKeys

        async with runtime.reads() as session:
            return str((await TrailKeys.of(runtime, session)).checkpoints)

    typer.echo(context.obj.run(look))


def prune(context: typer.Context, before: Annotated[datetime | None, BEFORE] = None) -> None:
    """Delete the oldest entries, up to a signed checkpoint, so that the rest can still be proven.

    It connects as the role that owns the tables (`PORTICO_DATABASE__OWNER_URL`).
    """

    async def act(runtime: "Runtime") -> int:
        from portico.audit.services.retention import prune_if_allowed, retention

        if before is None:
            return await prune_if_allowed(runtime)
        async with retention(runtime) as at_work:
            return await at_work.prune(_in_utc(before) or before)

    typer.echo(f"Entries deleted: {context.obj.run(act)}")


async def _found(runtime: "Runtime", query: "TrailQuery", limit: int) -> list[str]:
    from portico.audit.services import Trail

    lines: list[str] = []
    while len(lines) < limit:
        page = await Trail(runtime).list_entries(query)
        lines += [_shown(entry) for entry in page.data]
        if not page.pagination.has_next:
            break
        query = query.model_copy(update={"cursor": page.pagination.next_cursor})
    return lines[:limit] or ["There is no such entry."]


def _shown(entry: "TrailEntry") -> str:
    from portico.core.masking import harmless_text

    subject = f"{entry.subject_type}:{entry.subject_id}" if entry.subject_type else "-"
    facts = json.dumps(dict(entry.details) | ({"changes": entry.changes} if entry.changes else {}))
    parts = (
        f"{entry.at:%Y-%m-%d %H:%M:%S}Z",
        entry.action,
        entry.outcome.value,
        f"by {entry.actor_id or '-'}",
        f"on {subject}",
        entry.client_address or "-",
        entry.request_id or "-",
        entry.reason or "",
        facts if facts != "{}" else "",
    )
    return harmless_text("  ".join(part for part in parts if part))


async def _written(lines: "AsyncIterator[str]", output: Path | None) -> int:
    """Write lines and return how many; a file is readable by its owner only, for it holds what is personal."""
    import os

    count = 0
    if output is None:
        async for line in lines:
            sys.stdout.write(line)
            count += 1
        return count
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        async for line in lines:
            file.write(line)
            count += 1
    return count


def _verdict_of_file(file: Path, public_key: str | None) -> "Verdict":
    from portico.audit.checkpoints import CheckpointReader
    from portico.audit.services.verifying_exports import verify_lines

    if public_key is None:
        raise typer.BadParameter("--file needs --public-key, from somewhere else than the file")
    try:
        public = CheckpointReader.of_text(public_key)
    except ValueError:
        raise typer.BadParameter("--public-key is none") from None
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        return verify_lines(lines, public)


def _checkpoints_in(file: Path) -> "list[Checkpoint]":
    from portico.audit.checkpoints import find_checkpoint

    with file.open(encoding="utf-8", errors="replace") as lines:
        found = [checkpoint for line in lines if (checkpoint := find_checkpoint(line))]
    if not found:
        raise typer.BadParameter(f"there is no checkpoint in {file}")
    return found


def _print_verdict(verdict: "Verdict", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"sound": verdict.is_sound, **asdict(verdict)}, default=str))
        return
    for fault in verdict.faults:
        typer.echo(f"{typer.style('✗', fg='red')} {fault}")
    if verdict.more_faults:
        typer.echo(f"… and {verdict.more_faults} more")
    mark = typer.style("✓", fg="green") if verdict.is_sound else typer.style("✗", fg="red")
    typer.echo(
        f"{mark} {verdict.entries} entries in {verdict.streams} streams, {verdict.checkpoints} checkpoints;"
        f" {verdict.waiting} wait for their link, {verdict.erased} have erased personal fields,"
        f" {verdict.pruned + verdict.let_go} were let go"
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
