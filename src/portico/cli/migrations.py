"""What `portico migrate` does: bring the database to this release, look at it, or go back."""

from collections.abc import Sequence
from pathlib import Path

import anyio

from portico.cli.errors import CommandRefused
from portico.cli.features import enabled_features
from portico.composition import chains_of, migrator_of, sections_of
from portico.core.settings import Settings
from portico.core.settings_sources import refuse_unknown_settings
from portico.db.chains import Chain
from portico.db.drafting import draft_migration
from portico.db.migrator import Migrator
from portico.feature import Feature

PORTICO = "portico"


def upgrade_schema() -> None:
    """Run the migrations of Portico and of the team's features."""
    anyio.run(_migrator().upgrade)


def check_schema() -> None:
    """Change nothing.

    Raises:
        SchemaBehind, SchemaAhead: the database does not fit this release.
    """
    anyio.run(_migrator().check)


def downgrade_schema(revision: str, feature: str = PORTICO) -> None:
    """Take the tables of one owner back to `revision`.

    Raises:
        CommandRefused: `feature` has no migrations of its own.
    """
    chain = _chain_of(feature, enabled_features(Settings()))
    anyio.run(_migrator().downgrade, revision, chain)


def write_migration(message: str, feature: str) -> Path:
    """Write the next migration of a team's feature from its models; return the file.

    Raises:
        CommandRefused: `feature` has no migrations of its own.
    """
    features = enabled_features(Settings())
    chain = _chain_of(feature, features)
    if chain.root == PORTICO:
        raise CommandRefused("Portico's own migrations are written in its repository")
    return anyio.run(draft_migration, chain, message, [each for each in chains_of(features) if each != chain])


def _migrator() -> Migrator:
    settings = Settings()
    features = enabled_features(settings)
    refuse_unknown_settings(settings.with_sections(sections_of(features)))
    return migrator_of(settings, features)


def _chain_of(name: str, features: Sequence[Feature]) -> Chain:
    owners = [PORTICO, *(feature.name for feature in features if feature.migrations)]
    if name not in owners:
        raise CommandRefused(f"{name!r} has no migrations of its own; there are those of {', '.join(owners)}")
    return chains_of(features)[owners.index(name)]
