"""The table of routes: who may call what, by which limit, and the quick way from a path to its route.

Built once, when the application starts, from all routers, Portico's and the team's. It refuses a route that does
not say who may call it, gives the edge each request's route before anything else happens, and is what the
reference of routes and the access matrix are generated from. `portico.http.dispatch` calls the route found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from re import Pattern
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from portico.http.access import Requires, public
from portico.http.markers import (
    MARKERS,
    BodyLimit,
    LimitClass,
    Limited,
    OpenToClients,
    ReadsJson,
    WithoutIdempotency,
)

DECLARATIONS = "portico_declarations"
ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NO_PARAMS: Mapping[str, Any] = {}


class UndeclaredRoutes(RuntimeError):
    """Some routes do not say who may call them; the application does not start."""

    def __init__(self, offenders: Sequence[str]) -> None:
        self.offenders = tuple(offenders)
        lines = "".join(f"\n  {offender}" for offender in offenders)
        super().__init__(
            "every route declares `Depends(requires(PERMISSION))` or `Depends(public)`, and not both:" + lines
        )


class BodyKind(StrEnum):
    """What body a route reads."""

    NONE = "none"
    JSON = "json"
    FORM = "form"
    ANY = "any"


@dataclass(slots=True, eq=False, kw_only=True)
class RouteEntry:
    """One route as the edge sees it. `app` is None where only FastAPI's own router can call it (mounts)."""

    path: str
    methods: frozenset[str]
    name: str
    requires: tuple[Requires, ...] = ()
    limit_class: LimitClass | None = None
    max_body_bytes: int | None = None
    keeps_answers: bool = True
    is_open_to_clients: bool = False
    is_readable_by_all: bool = False
    takes: BodyKind = BodyKind.ANY
    app: ASGIApp | None = None
    route: BaseRoute | None = None
    endpoint: Callable[..., Any] | None = None
    regex: Pattern[str] | None = None
    convertors: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    dependant: Dependant | None = None
    tags: tuple[str, ...] = ()
    in_schema: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    """By method: what `portico.http.edge.limits` counts; filled when the edge starts."""

    def class_for(self, method: str) -> LimitClass:
        """Return the class of limits for a method."""
        return self.limit_class or class_of(method)


class Found(NamedTuple):
    """What a path leads to: a route with its parameters, or only the methods that there are (405), or nothing."""

    entry: RouteEntry | None
    params: Mapping[str, Any] = NO_PARAMS
    allowed: tuple[str, ...] = ()


class RouteRow(NamedTuple):
    """One line of the reference of routes and of the access matrix; `access` is permissions or `public`."""

    method: str
    path: str
    access: tuple[str, ...]
    limit_class: LimitClass
    name: str
    tags: tuple[str, ...]
    in_schema: bool
    entry: RouteEntry


NOTHING = Found(None)


def class_of(method: str) -> LimitClass:
    """Return the class of limits that a method has by itself."""
    return LimitClass.READ if method in SAFE_METHODS else LimitClass.WRITE


def declare[R: BaseRoute](route: R, *declarations: Any) -> R:
    """Say of a plain Starlette route or mount what dependencies say of an API route; return it.

    `declare(Route("/users/me", endpoint), requires(UserPermission.READ_SELF))`
    """
    setattr(route, DECLARATIONS, declarations)
    return route


class RouteTable:
    """Finds the route of a request, the same that Starlette's router finds: the first that fits."""

    def __init__(self, entries: Sequence[RouteEntry]) -> None:
        self.entries = tuple(entries)
        self._exact: dict[str, dict[str, Found]] = {}
        for entry in self.entries:
            if entry.regex is None and entry.path not in self._exact:
                self._exact[entry.path] = self._resolved(entry.path)

    def find(self, method: str, path: str) -> Found:
        """Return what `method` on `path` leads to; HEAD leads where GET does."""
        exact = self._exact.get(path)
        if exact is not None:
            found = exact.get(method)
            if found is not None:
                return found
        return self._search(method, path)

    def _search(self, method: str, path: str) -> Found:
        allowed: set[str] = set()
        fallback: Found | None = None
        for entry, params in self._fitting(path):
            if method in entry.methods:
                return Found(entry, params)
            if method == "HEAD" and "GET" in entry.methods and fallback is None:
                fallback = Found(entry, params)
            allowed |= entry.methods
        if fallback is not None or not allowed:
            return fallback or NOTHING
        return Found(None, NO_PARAMS, tuple(sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))))

    def _fitting(self, path: str) -> Iterator[tuple[RouteEntry, Mapping[str, Any]]]:
        for entry in self.entries:
            if entry.regex is None:
                if entry.path == path:
                    yield entry, NO_PARAMS
            elif path.startswith(entry.prefix) and (match := entry.regex.match(path)):
                yield (
                    entry,
                    {name: entry.convertors[name].convert(text) for name, text in match.groupdict().items()},
                )

    def _resolved(self, path: str) -> dict[str, Found]:
        methods = {method for entry, _ in self._fitting(path) for method in entry.methods}
        if "GET" in methods:
            methods.add("HEAD")
        return {method: self._search(method, path) for method in methods}


def build_route_table(app: FastAPI) -> RouteTable:
    """Read the routes of all routers.

    Raises:
        UndeclaredRoutes: some say neither a permission nor `public`; all of them are named.
    """
    return RouteTable([_entry(context, declarations) for context, declarations in _declared(app)])


def check_routes(app: FastAPI) -> None:
    """Refuse routes that do not say who may call them.

    Raises:
        UndeclaredRoutes: with all offenders.
    """
    _declared(app)


def _declared(app: FastAPI) -> list[tuple[RouteContext, list[Any]]]:
    declared, offenders = [], []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, WebSocketRoute | Host):
            continue
        declarations = list(_declarations(context))
        if _offends(declarations):
            offenders.append(f"{' '.join(sorted(context.methods or ['*']))} {context.path} ({context.name})")
        declared.append((context, declarations))
    if offenders:
        raise UndeclaredRoutes(offenders)
    return declared


def route_table(app: FastAPI) -> list[RouteRow]:
    """Return every route and method, for the reference of routes and the access matrix, in the order of matching.

    Raises:
        UndeclaredRoutes: as `check_routes`.
    """
    return [
        RouteRow(
            method,
            entry.path,
            tuple(str(needed.permission) for needed in entry.requires) or ("public",),
            entry.class_for(method),
            entry.name,
            entry.tags,
            entry.in_schema,
            entry,
        )
        for entry in build_route_table(app).entries
        for method in sorted(entry.methods)
    ]


def _declarations(context: RouteContext) -> Iterator[Any]:
    yield from getattr(context.original_route, DECLARATIONS, ())
    if isinstance(context.original_route, APIRoute):
        yield from (depends.dependency for depends in context.dependencies)
        yield from _calls(context.dependant)


def _calls(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)


def _offends(declarations: Iterable[Any]) -> bool:
    is_public = any(declaration is public for declaration in declarations)
    asks = any(isinstance(declaration, Requires) for declaration in declarations)
    return is_public == asks


def _entry(context: RouteContext, declarations: list[Any]) -> RouteEntry:
    route = context.original_route
    path = context.path or ""
    entry = RouteEntry(
        path=path,
        methods=frozenset(context.methods or ALL_METHODS),
        name=context.name or "",
        requires=tuple(dict.fromkeys(each for each in declarations if isinstance(each, Requires))),
        limit_class=next((each.limit_class for each in declarations if isinstance(each, Limited)), None),
        max_body_bytes=next((each.size_bytes for each in declarations if isinstance(each, BodyLimit)), None),
        keeps_answers=not any(isinstance(each, WithoutIdempotency) for each in declarations),
        is_open_to_clients=any(isinstance(each, OpenToClients) for each in declarations),
        is_readable_by_all=any(isinstance(each, OpenToClients) and each.may_read for each in declarations),
        route=route,
    )
    if isinstance(route, Mount) or not isinstance(route, Route):
        entry.regex, entry.prefix = context.path_regex, path
        entry.convertors = context.param_convertors
        return entry
    if "{" in path:
        entry.regex, entry.prefix = context.path_regex, path.partition("{")[0]
        entry.convertors = context.param_convertors
    entry.app, entry.endpoint = context.app, context.endpoint
    if any(isinstance(each, ReadsJson) for each in declarations):
        entry.takes = BodyKind.JSON
    if isinstance(route, APIRoute):
        entry.takes = _takes(context)
        entry.tags = tuple(str(tag) for tag in context.tags)
        entry.in_schema = bool(context.include_in_schema)
        entry.dependant = context.dependant
    return entry


def _takes(context: RouteContext) -> BodyKind:
    if context.body_field is None:
        return BodyKind.NONE
    return BodyKind.FORM if isinstance(context.body_field.field_info, Form) else BodyKind.JSON


def drop_markers(table: RouteTable) -> None:
    """Spare each request the call of dependencies that do nothing; `requires` stays."""
    for entry in table.entries:
        if entry.dependant is not None:
            kept = [each for each in entry.dependant.dependencies if not _is_inert(each)]
            entry.dependant.dependencies[:] = kept


def _is_inert(dependency: Dependant) -> bool:
    return dependency.name is None and (dependency.call is public or isinstance(dependency.call, MARKERS))
