"""Databases of deployments that die; in memory where the machine offers it, for no power fails here."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.app import default_features
from portico.composition import chains_of
from portico.testing import services
from portico.testing.templates import DatabaseTemplates

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return an empty folder."""
    path = Path(tempfile.mkdtemp(prefix="portico-faults-", dir=MEMORY if MEMORY.is_dir() else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def database_url(database_kind: str, folder: Path, database_templates: DatabaseTemplates) -> Iterator[str]:
    """Return the URL of a migrated, empty database."""
    chains = chains_of(default_features())
    if database_kind == "sqlite":
        yield database_templates.sqlite(folder / "portico.db", chains)
        return
    with database_templates.postgres(chains) as url:
        yield services.as_superuser(url)  # who may put rows back past triggers and foreign keys
