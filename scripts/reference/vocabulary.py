"""`docs/reference/events.md` and `errors.md`: what can be heard and what can be refused."""

import dataclasses
import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

import portico
from portico.core.errors import PorticoError
from portico.messaging import Event
from scripts.reference.markdown import code, described, is_union, page, table, titled


def ours(module: str) -> bool:
    """Tell whether a module is Portico's own and not of its test kit."""
    return module.startswith("portico.") and not module.startswith("portico.testing")


@cache
def import_everything() -> None:
    """Import every module, so that every event, error and permission is defined."""
    for module in pkgutil.walk_packages(portico.__path__, "portico."):
        skipped = (".migrations", ".testing")
        if not any(part in module.name for part in skipped):
            importlib.import_module(module.name)


def events_page() -> str:
    """Write every event."""
    import_everything()
    parts = []
    base = {field.name for field in dataclasses.fields(Event)}
    for (name, version), event in sorted(Event.registry.items()):
        if not ours(event.__module__):
            continue
        hints = typing.get_type_hints(event)
        rows = [
            (code(field.name), code(type_in_code(hints[field.name])))
            for field in dataclasses.fields(event)
            if field.name not in base
        ]
        owner = event.__module__.removesuffix(".events")
        parts.append(
            f"## {name}\n\n`{owner}.events.{event.__name__}`, version {version}{_internally(event)}. "
            f"{described(event)}\n"
        )
        parts.append(table(("Field", "Type"), rows) if rows else "It has no fields of its own.\n")
    intro = (
        "What features announce. Subscribe in your `Feature`: with `on(Event, handler)` the handler runs in the same "
        "transaction and may veto by raising; with `after(Event, name, handler)` it runs after the commit, at least "
        "once ([how](../guides/jobs.md)). [Webhooks](../guides/webhooks.md) and a message broker hear the same events, "
        "but for those that stay internal. Every event also has `id` (UUID, the same at each delivery) and `at` (when "
        "it happened, UTC)."
    )
    return page("Events", intro, *parts)


def _internally(event: type[Event]) -> str:
    return ", internal: heard in its transaction only" if event.is_internal else ""


def type_in_code(kind: Any) -> str:
    """Return a type as it is written in code, the same on every version of Python."""
    if kind is types.NoneType:
        return "None"
    if is_union(kind):
        return " | ".join(type_in_code(part) for part in typing.get_args(kind))
    if kind is Ellipsis:
        return "..."
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return type_in_code(kind.__origin__)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(type_in_code(part) for part in typing.get_args(kind))}]"
    return str(getattr(kind, "__name__", kind))


# --- errors -----------------------------------------------------------------------------------------------------------


def all_subclasses(kind: type[PorticoError]) -> Iterator[type[PorticoError]]:
    """Yield every class below `kind`."""
    for below in kind.__subclasses__():
        yield below
        yield from all_subclasses(below)


def errors_page() -> str:
    """Write every error, by feature."""
    import_everything()
    groups: dict[str, dict[tuple[int, str], tuple[str, ...]]] = {}
    errors: list[type[PorticoError]] = [PorticoError, *all_subclasses(PorticoError)]
    for error in errors:
        if not ours(error.__module__) or ("code" not in error.__dict__):
            continue
        row = (code(error.code), str(error.status), error.title, described(error))
        groups.setdefault(error.__module__.split(".")[1], {})[error.status, error.code] = row
    parts = []
    for owner in sorted(groups, key=lambda name: (name != "core", name)):
        rows = [row for _, row in sorted(groups[owner].items())]
        parts.append(f"## {'General' if owner == 'core' else titled(owner)}\n")
        parts.append(table(("Code", "Status", "Title", "When"), rows))
    intro = """
Every refusal is a problem document (RFC 9457) with the media type `application/problem+json`. `code` is stable: write
your client against it. `title` and `detail` are for people and may change. `errors` names the fields at fault.

```json
{
  "type": "urn:portico:problem:email_taken",
  "title": "This e-mail address is already in use",
  "status": 409,
  "detail": "This e-mail address is already in use",
  "code": "email_taken",
  "request_id": "01932f6e-7c1a-7abc-8def-0123456789ab",
  "errors": [{"code": "email_taken", "message": "This e-mail address is already in use", "field": "email"}]
}
```
"""
    return page("Errors", intro, *parts)
