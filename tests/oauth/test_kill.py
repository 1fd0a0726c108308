"""P1, P3, P7: a process dies anywhere while a client is let in, exchanges or refreshes; all happened, or nothing.

The harness is that of `tests.faults`, with stories of its own (`tests.oauth.dying`). This is the quick run, on points
spread over all stories; `PORTICO_TEST_SCALE` asks for more.
"""

import random
from pathlib import Path

import pytest

from tests.faults.conftest import database_url, folder
from tests.faults.sweep import deployment, spread
from tests.integration.ground import SCALE
from tests.oauth.dying import STORIES, SpendsFirst

__all__ = ["database_url", "folder"]  # fixtures
pytestmark = pytest.mark.timeout(600)

POINTS, MOMENTS, SEED = 8 * SCALE, 2 * SCALE, 20261120
HONEST = [story.name for story in STORIES if story is not SpendsFirst]


@pytest.mark.bar("P1", "P3", "P7", "A1-1.10")
def test_tokens_are_given_out_whole_or_not_at_all_wherever_a_process_dies(
    database_url: str, folder: Path
) -> None:
    chance = random.Random(SEED)
    with deployment(database_url, folder, HONEST, stories="tests.oauth.dying", warm=1) as lives:
        kills = [lives.survey(name) for name in HONEST]
        kills += [lives.play(name, point=point) for name, point in spread(lives.points, POINTS, chance)]
        kills += [lives.play(chance.choice(HONEST), moment=chance.random()) for _ in range(MOMENTS)]

    faults = [str(kill) for kill in kills if kill.faults]
    assert not faults, "\n".join(faults)
    assert sum(kill.died for kill in kills) > 0.8 * (POINTS + MOMENTS)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_code_that_is_spent_before_its_tokens_is_found(database_url: str, folder: Path) -> None:
    with deployment(database_url, folder, [], stories="tests.oauth.dying", warm=0) as lives:
        survey = lives.survey(SpendsFirst.name)
        points = lives.points[SpendsFirst.name]
        found = (lives.play(SpendsFirst.name, point=point).faults for point in range(points // 3, points + 1))
        caught = next((faults[0] for faults in found if faults), "nothing")

    assert not survey.faults, survey
    assert SpendsFirst.fault in caught
