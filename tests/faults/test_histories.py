"""P34: sessions, refresh tokens and one-time tokens are linearizable over nodes that are killed and paused.

A short run; `make faults` plays a thousand histories.
"""

import os
from pathlib import Path

import pytest

from tests.faults.histories import models, node_settings, recorded, running_nodes
from tests.faults.linearizability import anomalies

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SCALE = int(os.environ.get("PORTICO_TEST_SCALE", "1"))
SEED = int(os.environ.get("PORTICO_TEST_SEED", "20261120"))
OPERATIONS = 120


@pytest.mark.bar("P34", "P6", "P5")
@pytest.mark.parametrize(
    ("database_kind", "grace"), [("sqlite", False), ("postgresql", True)], ids=["sqlite", "postgresql-grace"]
)
async def test_what_clients_of_two_nodes_are_told_has_an_order(
    database_url: str, folder: Path, grace: bool
) -> None:
    settings = node_settings(database_url, folder, grace=grace)
    found, unknown = [], 0
    with running_nodes(settings) as nodes:
        async with recorded(settings, nodes, SEED) as recorder_of:
            for number in range(2 * SCALE):
                history = await recorder_of(number).play(OPERATIONS)
                found += anomalies(history, models(grace=grace))
                unknown += sum(operation.told is None for operation in history)

                assert len(history) > OPERATIONS / 2
                assert {operation.told for operation in history} >= {True, False}
    assert not found, found[0]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_node_that_believes_for_ever_is_caught(database_url: str, folder: Path) -> None:
    settings, is_caught = node_settings(database_url, folder, grace=True), False
    with running_nodes(settings, plant="believe_for_ever") as nodes:
        async with recorded(settings, nodes, SEED) as recorder_of:
            for number in range(20):
                history = await recorder_of(number).play(OPERATIONS, kills=0, pauses=0)
                found = anomalies(history, models(grace=True))
                is_caught = any("use(0): True" in each for each in found)
                if is_caught:
                    break

    assert is_caught
