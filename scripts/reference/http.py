"""`docs/reference/routes.md`, `permissions.md` and `openapi.json`: what the server answers, and to whom."""

import inspect
import json
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from portico.access.roles import RoleBook
from portico.access.types import PlatformRole
from portico.app import create_app
from portico.core.permissions import Permission, Reach
from portico.core.settings import Settings
from portico.http.routing import route_table
from scripts.reference.markdown import code, described, page, table, titled
from scripts.reference.vocabulary import import_everything, ours


@cache
def openapi_document() -> str:
    """Write the OpenAPI document with sorted keys, so that a change of the API is a change of few lines."""
    return json.dumps(application().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@cache
def application() -> Any:
    """Return the server as it is by default; nothing is opened."""
    return create_app(Settings())


class RouteLine(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    access: tuple[str, ...]
    limit_class: str
    summary: str
    group: str


@cache
def routes() -> tuple[RouteLine, ...]:
    """Return every route and method, sorted by path."""
    documented = json.loads(openapi_document())["paths"]
    found: dict[tuple[str, str], RouteLine] = {}
    for row in route_table(application()):
        operation = documented.get(row.path, {}).get(row.method.lower(), {})
        summary = summary_of(operation) or first_sentence(row.entry.endpoint)
        group = group_of(row.path, operation.get("tags") or row.tags)
        line = RouteLine(row.method, row.path, row.access, str(row.limit_class), summary, group)
        found.setdefault((row.path, row.method), line)  # of two that fit, the first is called
    return tuple(
        found[path, method]
        for path, method in sorted(found)
        if method != "HEAD" or (path, "GET") not in found
    )


def summary_of(operation: dict[str, Any]) -> str:
    """Return an operation's summary, or the first sentence of its description where FastAPI only took the name."""
    summary = str(operation.get("summary", ""))
    is_from_name = str(operation.get("operationId", "")).startswith(summary.lower().replace(" ", "_"))
    return str(operation.get("description", "")).partition(".")[0] if is_from_name else summary


def group_of(path: str, tags: Sequence[str]) -> str:
    """Return the heading under which a route stands."""
    if path.startswith("/api/"):
        return f"API: {tags[0] if tags else 'other'}"
    return "Pages and files" if not tags else f"Root: {tags[0]}"


def first_sentence(endpoint: Any) -> str:
    """Return what an endpoint without a summary says of itself."""
    if not inspect.isfunction(endpoint) and not inspect.ismethod(endpoint):
        return ""
    return described(endpoint).partition(". ")[0].rstrip(".")


def routes_page() -> str:
    """Write every route, by area."""
    groups: dict[str, list[RouteLine]] = {}
    for line in routes():
        groups.setdefault(line.group, []).append(line)
    parts = []
    for group in sorted(groups):
        rows = [
            (line.method, code(line.path), access_in_words(line.access), line.limit_class, line.summary)
            for line in groups[group]
        ]
        parts.append(f"## {group}\n")
        parts.append(table(("Method", "Path", "Who may call it", "Limit", "What it does"), rows))
    intro = (
        "Every route of a server with its default settings. *Who may call it* is a "
        "[permission](permissions.md) or *anyone*. *Limit* is the class of rate limits that counts it "
        "([settings](settings.md#rate-limit)). Bodies and answers are in the OpenAPI document "
        "([openapi.json](openapi.json), served at `/openapi.json` outside production)."
    )
    return page("Routes", intro, *parts)


def access_in_words(access: Sequence[str]) -> str:
    """Return who may call a route."""
    return "anyone" if tuple(access) == ("public",) else ", ".join(map(code, access))


@cache
def book() -> RoleBook:
    """Return what the roles of the server hold, as it is by default."""
    return RoleBook.of(application().state.runtime)


def holders(permission: Permission) -> str:
    """Return who holds a permission, in words."""
    if permission.reach is Reach.SELF:
        return "everybody, over himself"
    if permission.reach is Reach.PLATFORM:
        return ", ".join(
            role.value for role in PlatformRole if book().platform_holds([role], permission.value)
        )
    holding = [role for role, held in book().system.items() if permission.value in held]
    return ", ".join(sorted(holding, key=lambda role: len(book().system[role])))


def permissions_page() -> str:
    """Write every permission, who holds it, and the routes that ask for it."""
    import_everything()
    parts = []
    for kind in sorted(Permission.__subclasses__(), key=lambda kind: kind.__module__):
        if not ours(kind.__module__):
            continue
        rows = [
            (
                code(str(permission.value)),
                holders(permission) + (", never by key" if permission.is_interactive else ""),
                ", ".join(
                    code(f"{line.method} {line.path}") for line in routes() if permission.value in line.access
                ),
            )
            for permission in kind
        ]
        parts.append(f"## {titled(kind.__module__.split('.')[1])}\n\n{described(kind)}\n")
        parts.append(table(("Permission", "Held by", "Asked for by"), rows))
    intro = """
A permission is written `scope:resource:action`. Each route asks for one, or declares itself public; the server does
not start with a route that does neither. Rights with the resource `self` concern one's own account and are held by
everybody who is signed in. Those of the scope `platform` are held by platform role: `superuser` (all of them; made with
`portico create-admin` or by another superuser), `support`, `auditor`. All others are held in an organization, by role
there. *Never by key*: only the person himself has it, no API key and nobody who impersonates him. A permission that no
route asks for is checked inside a service, or by a feature of yours. [How it works](../guides/permissions.md).
"""
    return page("Permissions", intro, *parts)
