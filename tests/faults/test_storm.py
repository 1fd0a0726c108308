"""P35: organizations stay apart while requests are cancelled and connections are killed."""

import gc
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from portico.db import postgres_driver
from portico.db.tenancy.policies import SETTING
from portico.feature import Feature
from tests.faults.storm import notebook_features, storm

pytestmark = pytest.mark.timeout(300)

REQUESTS = 2_000 * int(os.environ.get("PORTICO_TEST_SCALE", "1"))


@pytest.fixture
def features() -> Sequence[Feature]:
    return notebook_features()


@pytest.mark.bar("P35", "CHECK-2", "ASVS-8.4.1")
def test_no_foreign_row_is_seen_in_a_storm(empty_database: str, tmp_path: Path, database_kind: str) -> None:
    with warnings.catch_warnings():
        # aiosqlite lets go of a connection whose opening was cancelled, and Python closes it when it is collected.
        warnings.simplefilter("ignore", ResourceWarning)
        raged = storm(empty_database, tmp_path, requests=REQUESTS, seed=1)
        gc.collect()

    assert raged.faults == []
    assert raged.answered > REQUESTS / 2
    assert raged.cancelled > REQUESTS / 50
    assert database_kind == "sqlite" or raged.killed > 5


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_setting_that_outlives_its_transaction_is_found(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def begin_for_ever(self: Any, query: str, *args: Any, timeout: float | None = None) -> str:
        organization_id, self.organization_id = self.organization_id, None
        if organization_id is not None and query.startswith("BEGIN"):
            await super(postgres_driver.TenantConnection, self).execute(
                f"SET {SETTING} = '{organization_id}'"
            )
        status: str = await super(postgres_driver.TenantConnection, self).execute(
            query, *args, timeout=timeout
        )
        return status

    monkeypatch.setattr(postgres_driver.TenantConnection, "execute", begin_for_ever)
    raged = storm(empty_database, tmp_path, requests=300, seed=1)

    assert raged.faults
