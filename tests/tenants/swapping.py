"""Requests of one tenant's people and machines in which ids of another stand: in path, query, body, cursor and key.

Made from the running router and its OpenAPI document, so that a new route is asked without being named here.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import FastAPI

from portico.http.routing import RouteRow, route_table

STRANGE_ID = "01932f6e-7c1a-7abc-8def-0000000000ff"
"""Nobody's."""
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class Things:
    """What one tenant has: ids by the name of the path parameter that takes them, and words that nobody else knows."""

    canary: str
    ids: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    idempotency_keys: list[str] = field(default_factory=list)

    @property
    def all_ids(self) -> list[str]:
        """Return every id."""
        return [each for kind in self.ids.values() for each in kind]

    def note(self, kind: str, given: str | UUID) -> str:
        """Remember an id and return it."""
        self.ids.setdefault(kind, []).append(str(given))
        return str(given)


@dataclass(frozen=True, slots=True)
class Swapped:
    """A request with something foreign in it. `strange`: the texts of the other tenant that it carries."""

    route: RouteRow
    target: str
    body: bytes
    headers: Mapping[str, str]
    strange: frozenset[str]
    has_strange_path: bool


class Swapper:
    """Makes such requests, from a seed."""

    def __init__(self, app: FastAPI, ours: Things, theirs: Things, seed: int) -> None:
        self._random = random.Random(seed)
        self._schema = app.openapi()
        self._ours, self._theirs = ours, theirs
        self.routes = [row for row in route_table(app) if _is_asked(row)]

    def make(self) -> Swapped:
        """Return the next request."""
        while True:
            made = self._made(self._random.choice(self.routes))
            if made is not None:
                return made

    def _made(self, row: RouteRow) -> Swapped | None:
        strange: set[str] = set()
        path = self._path(row, strange)
        has_strange_path = bool(strange)
        query = self._query(row, strange)
        operation = self._schema["paths"].get(row.path, {}).get(row.method.lower(), {})
        body = self._body(operation, strange) if row.method in UNSAFE else b""
        headers = {"content-type": "application/json"} if body else {}
        if row.method in UNSAFE and self._theirs.idempotency_keys and self._random.random() < 0.2:
            headers["idempotency-key"] = self._random.choice(self._theirs.idempotency_keys)
            strange.add(headers["idempotency-key"])
        if not strange:
            return None
        target = f"{path}?{urlencode(query)}" if query else path
        return Swapped(row, target, body, headers, frozenset(strange), has_strange_path)

    def _path(self, row: RouteRow, strange: set[str]) -> str:
        names = [part[1:-1].partition(":")[0] for part in row.path.split("/") if part.startswith("{")]
        # A destructive request of ours on what is ours is no test of isolation and spoils the scene.
        must = self._random.choice(names) if names else ""
        values = {
            name: self._id(name, strange, is_foreign=name == must or self._random.random() < 0.6)
            for name in names
        }
        path = row.path
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
        return path

    def _id(self, name: str, strange: set[str], *, is_foreign: bool) -> str:
        if not is_foreign:
            return self._random.choice(self._ours.ids.get(name) or [STRANGE_ID])
        same_kind = self._theirs.ids.get(name)
        pool = same_kind if same_kind and self._random.random() < 0.85 else self._theirs.all_ids
        chosen = self._random.choice(pool)
        strange.add(chosen)
        return chosen

    def _query(self, row: RouteRow, strange: set[str]) -> dict[str, str]:
        operation = self._schema["paths"].get(row.path, {}).get(row.method.lower(), {})
        named = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
        if not named or self._random.random() < 0.4:
            return {}
        chosen = self._random.sample(named, k=self._random.randint(1, min(3, len(named))))
        return {name: self._text(name, strange) for name in chosen}

    def _text(self, name: str, strange: set[str]) -> str:
        if name == "cursor" and self._theirs.cursors:
            value = self._random.choice(self._theirs.cursors)
        elif name in {"page", "page_size"}:
            return str(self._random.choice([1, 2, 50]))
        elif self._random.random() < 0.5:
            value = self._random.choice(self._theirs.ids.get(name) or self._theirs.all_ids)
        else:
            value = self._random.choice(self._theirs.words)
        strange.add(value)
        return value

    def _body(self, operation: Mapping[str, Any], strange: set[str]) -> bytes:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return b""
        return json.dumps(self._value(content.get("schema", {}), "", strange)).encode()

    def _value(self, schema: Mapping[str, Any], name: str, strange: set[str]) -> Any:  # noqa: PLR0911
        if "$ref" in schema:
            return self._value(
                self._schema["components"]["schemas"][schema["$ref"].rpartition("/")[2]], name, strange
            )
        if "anyOf" in schema or "oneOf" in schema:
            return self._value(self._random.choice(schema.get("anyOf") or schema["oneOf"]), name, strange)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, strange)
        if kind == "array":
            items = schema.get("items", {})
            return [self._value(items, name, strange) for _ in range(self._random.randint(0, 2))]
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind in {"integer", "number"}:
            return int(schema.get("minimum", 1))
        return None if kind == "null" else self._string(schema, name, strange)

    def _object(self, schema: Mapping[str, Any], strange: set[str]) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        return {
            name: self._value(inner, name, strange)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self._random.random() < 0.6
        }

    def _string(self, schema: Mapping[str, Any], name: str, strange: set[str]) -> str:
        if schema.get("format") == "uuid" or name.endswith("_id"):
            return self._id(name, strange, is_foreign=self._random.random() < 0.8)
        chosen = self._random.choice(
            [*self._theirs.words, *self._theirs.all_ids, "member", "admin", "owner", "x-y-z"]
        )
        if chosen in self._theirs.words or chosen in self._theirs.all_ids:
            strange.add(chosen)
        return chosen[: schema.get("maxLength", 1000)]


def leaks(text: str, theirs: Things, sent: frozenset[str]) -> list[str]:
    """Return what an answer tells of the other tenant that the request did not say itself."""
    found = [each for each in theirs.all_ids if each in text and each not in sent]
    if theirs.canary in text and not any(theirs.canary in each for each in sent):
        found.append(theirs.canary)
    return found


def _is_asked(row: RouteRow) -> bool:
    """Tell whether the route is worth asking: what is the same for everybody is not."""
    if row.method in {"HEAD", "OPTIONS"} or not row.path.startswith("/api/v1"):
        return False
    return bool(row.entry.requires) and row.entry.app is not None


def batches(total: int, size: int) -> Iterator[int]:
    """Yield the sizes of the parts of a long run."""
    for start in range(0, total, size):
        yield min(size, total - start)


def kinds_of(paths: Sequence[str]) -> set[str]:
    """Return the names of all path parameters."""
    return {
        part[1:-1].partition(":")[0] for path in paths for part in path.split("/") if part.startswith("{")
    }
