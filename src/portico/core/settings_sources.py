"""Which names are settings, where each value came from, and which names nobody knows.

A name that looks like ours and is not is refused: a misspelt `PORTICO_DATABSE__URL` must not end as a silent
default.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from portico.core.settings import ENV_PREFIX, SECRETS_DIR_VARIABLE, Settings

EXEMPT = re.compile(r"PORTICO_(TEST_.*|SECRETS_DIR|PORT(_.*)?|SERVICE_(HOST|PORT.*))", re.IGNORECASE)
"""Names that are not settings: the tests' own, the secrets directory, and what Kubernetes injects for a service
called portico."""
TOML_FILE = Path("portico.toml")
DOTENV_FILE = Path(".env")


class UnknownSettings(ValueError):
    """Names with our prefix that no enabled feature knows; each with a suggestion where one is near."""

    def __init__(self, names: Mapping[str, str]) -> None:
        known = {name: f" (did you mean {near}?)" if near else "" for name, near in names.items()}
        lines = [f"  {name}{hint}" for name, hint in known.items()]
        super().__init__("unknown settings:\n" + "\n".join(lines))
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class SettingEntry:
    """One setting as it stands: `name` is the environment variable, `value` masked where it is a secret."""

    name: str
    value: str
    source: str
    default: str
    description: str
    kind: str


def setting_fields(
    model: type[BaseModel], prefix: str = ENV_PREFIX
) -> Iterator[tuple[str, FieldInfo, tuple[str, ...]]]:
    """Yield each setting's environment name, its field and its path, groups opened."""
    yield from _fields(model, prefix, ())


def _fields(
    model: type[BaseModel], prefix: str, path: tuple[str, ...]
) -> Iterator[tuple[str, FieldInfo, tuple[str, ...]]]:
    for key, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{key.upper()}__", (*path, key))
        else:
            yield f"{prefix}{key.upper()}", field, (*path, key)


def refuse_unknown_settings(settings: Settings) -> None:
    """Compare every name with our prefix, in the environment, `.env` and `portico.toml`, with the known settings.

    Raises:
        UnknownSettings: some are not known.
    """
    known = {name: field for name, field, _ in setting_fields(type(settings))}
    given = [name.upper() for name in (*os.environ, *_dotenv()) if name.upper().startswith(ENV_PREFIX)]
    given += [_env_name(path) for path in _toml_paths(_toml(), type(settings))]
    strangers = [
        name for name in dict.fromkeys(given) if not EXEMPT.fullmatch(name) and not _is_known(name, known)
    ]
    if strangers:
        raise UnknownSettings({name: _nearest(name, known) for name in strangers})


def _is_known(name: str, known: Mapping[str, FieldInfo]) -> bool:
    """A whole group may be given as JSON, and a mapping one entry at a time."""
    return name in known or any(
        other.startswith(f"{name}__") or (name.startswith(f"{other}__") and _is_mapping(field))
        for other, field in known.items()
    )


def _is_mapping(field: FieldInfo) -> bool:
    return getattr(field.annotation, "__origin__", None) is dict


def _nearest(name: str, known: Mapping[str, FieldInfo]) -> str:
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.75)), "")


def describe_settings(settings: Settings) -> list[SettingEntry]:
    """Return every setting with its value, secrets masked, and the source that decided it."""
    entries = []
    for name, field, path in setting_fields(type(settings)):
        value = _at(settings, path)
        entries.append(
            SettingEntry(
                name=name,
                value=_shown(value),
                source=_source_of(settings, name, path),
                default=_shown(_default(field)),
                description=" ".join((field.description or "").split()),
                kind=_kind(field),
            )
        )
    return entries


def _source_of(settings: Settings, name: str, path: tuple[str, ...]) -> str:
    group = ENV_PREFIX + path[0].upper()
    if _has(settings.arguments, path):
        return "argument"
    for source, names in (("environment", os.environ), (".env", _dotenv())):
        upper = {key.upper() for key in names}
        if name in upper or group in upper or any(key.startswith(f"{name}__") for key in upper):
            return source
    if _in_secrets_dir(name, path):
        return "secrets directory"
    return "portico.toml" if _has(_toml(), path) else "default"


def _in_secrets_dir(name: str, path: tuple[str, ...]) -> bool:
    folder = os.environ.get(SECRETS_DIR_VARIABLE)
    if not folder or not Path(folder).is_dir():
        return False
    present = {file.name.lower() for file in Path(folder).iterdir()}
    return name.lower() in present or "__".join(path) in present


def _has(tree: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    node: Any = tree
    for key in path:
        if isinstance(node, BaseModel):
            return True
        if not isinstance(node, Mapping) or key not in node:
            return False
        node = node[key]
    return True


def _at(settings: Settings, path: tuple[str, ...]) -> Any:
    node: Any = settings
    for key in path:
        node = getattr(node, key)
    return node


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _kind(field: FieldInfo) -> str:
    kind = field.annotation
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _dotenv() -> Mapping[str, str | None]:
    return dotenv_values(DOTENV_FILE) if DOTENV_FILE.is_file() else {}


def _toml() -> dict[str, Any]:
    return tomllib.loads(TOML_FILE.read_text()) if TOML_FILE.is_file() else {}


def _toml_paths(
    tree: Mapping[str, Any], model: type[BaseModel], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        field = model.model_fields.get(key)
        kind = field.annotation if field else None
        if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _toml_paths(value, kind, (*path, key))
        else:
            yield (*path, key)


def _env_name(path: tuple[str, ...]) -> str:
    return ENV_PREFIX + "__".join(path).upper()
