"""P1, P3, P4, P8, P9, P40: a process dies anywhere; nothing acknowledged is lost, nothing is done by halves or twice.

This is the quick run, on points spread over all stories; `make faults` plays ten thousand on each database.
"""

import os
import random
from pathlib import Path

import pytest

from tests.faults.outside import STORIES as OUTSIDE
from tests.faults.planted import STORIES as PLANTED, PlantedStory
from tests.faults.sinks import outside
from tests.faults.stories import STORIES
from tests.faults.sweep import Deployment, deployment, spread

pytestmark = pytest.mark.timeout(600)

SCALE = int(os.environ.get("PORTICO_TEST_SCALE", "1"))
POINTS = 120 * SCALE
MOMENTS = 8 * SCALE
OUTSIDE_POINTS = 12 * SCALE
WARM = 3
"""Stories that are played for the caches before any kill; in so short a run more would cost more than they spare."""
SEED = int(os.environ.get("PORTICO_TEST_SEED", "20261120"))


@pytest.mark.bar("P1", "P3", "P4", "P8", "P9", "P40")
def test_nothing_is_lost_wherever_a_process_dies(database_url: str, folder: Path) -> None:
    chance, names = random.Random(SEED), [story.name for story in STORIES]
    with deployment(database_url, folder, names, warm=WARM) as lives:
        kills = [lives.survey(name) for name in names]
        kills += [lives.play(name, point=point) for name, point in spread(lives.points, POINTS, chance)]
        kills += [lives.play(chance.choice(names), moment=chance.random()) for _ in range(MOMENTS)]

    faults = [str(kill) for kill in kills if kill.faults]
    assert not faults, "\n".join(faults)
    assert sum(kill.died for kill in kills) > 0.8 * (POINTS + MOMENTS)


@pytest.mark.bar("P8", "P9", "P10")
@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_what_leaves_the_house_is_not_lost_either(database_url: str, folder: Path) -> None:
    chance, names = random.Random(SEED), [story.name for story in OUTSIDE]
    with (
        outside(folder / "data") as world,
        deployment(
            database_url, folder, names, stories="tests.faults.outside",
            mail_url=world.mail_url, hook_url=world.hook_url,
        ) as lives,
    ):  # fmt: skip
        kills = [lives.survey(name) for name in names]
        kills += [
            lives.play(name, point=point) for name, point in spread(lives.points, OUTSIDE_POINTS, chance)
        ]

    faults = [str(kill) for kill in kills if kill.faults]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_harness_catches_what_is_planted(database_url: str, folder: Path) -> None:
    names = [story.name for story in PLANTED]
    with deployment(database_url, folder, names, stories="tests.faults.planted") as lives:
        for story in PLANTED:
            survey = lives.survey(story.name)
            caught = _first_fault(lives, story)

            assert not survey.faults, f"found where nobody died: {survey}"
            assert story.fault in caught


def _first_fault(lives: Deployment, story: type[PlantedStory]) -> str:
    """Return what was found after the first death that did harm; it begins where the fault is near."""
    points = lives.points[story.name]
    for point in range(int(points * story.begins), points + 1):
        if faults := lives.play(story.name, point=point).faults:
            return faults[0]
    return "nothing"
