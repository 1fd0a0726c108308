"""Which features the commands know: Portico's own, and the team's that `PORTICO_FEATURES` names.

A product that calls `create_app(Settings(), features=[*default_features(), shop])` names `shop` there too, so that
`portico migrate` runs its migrations and its settings are known to every command.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portico.cli.errors import CommandRefused

if TYPE_CHECKING:
    from portico.core.settings import Settings
    from portico.feature import Feature

VARIABLE = "PORTICO_FEATURES"


def enabled_features(settings: "Settings") -> "list[Feature]":
    """Return Portico's features and those of the setting `features`.

    Raises:
        CommandRefused: a name does not lead to a feature.
    """
    from portico.app import default_features

    return [*default_features(), *(load_feature(name) for name in settings.features)]


def load_feature(name: str) -> "Feature":
    """Import `package.module:attribute`, a `Feature` or a function that returns one.

    Raises:
        CommandRefused: there is no such module or attribute, or it is no feature.
    """
    from portico.feature import Feature

    module_name, _, attribute = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandRefused(f"{VARIABLE}: {name!r} cannot be loaded: {error}") from error
    feature = found if isinstance(found, Feature) or not callable(found) else found()
    if not isinstance(feature, Feature):
        raise CommandRefused(f"{VARIABLE}: {name!r} is not a portico.feature.Feature")
    return feature


def named_in_settings() -> "list[Feature]":
    """Return the team's features for their commands; cheap where none are named, so that help stays quick."""
    if not _names_any():
        return []
    from portico.core.settings import Settings

    return [load_feature(name) for name in Settings().features]


def _names_any() -> bool:
    return VARIABLE in os.environ or any(
        word in text
        for file, word in ((Path(".env"), VARIABLE), (Path("portico.toml"), "features"))
        if file.is_file() and (text := file.read_text(errors="replace"))
    )
