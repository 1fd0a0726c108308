"""Proves for a `TenantScoped` model that one organization reaches nothing of another one's.

    async def test_documents_are_isolated(runtime):
        await prove_isolation(runtime, Document, lambda: Document(title="one"))

Two organizations are filled; then the rows of the second are tried to be read, counted, changed, deleted and moved
from inside the first, in every way that the ORM and Core offer; also without any organization, and on PostgreSQL
round all of Portico, by the driver. Every way that gets through is named.
"""

from collections.abc import Callable
from typing import Any

from portico.runtime import Runtime
from portico.testing.isolation.around import ways_around
from portico.testing.isolation.reading import ways_to_read
from portico.testing.isolation.scenes import Scene, new_organization
from portico.testing.isolation.structure import faults_of_structure
from portico.testing.isolation.writing import ways_to_write

__all__ = ["new_organization", "prove_isolation"]


async def prove_isolation(runtime: Runtime, model: type[Any], make: Callable[[], Any]) -> None:
    """Try everything; `make` returns a new, valid row, its parents with it by its relationships.

    Raises:
        AssertionError: with a line for each way that leads out of the organization.
    """
    scene = await Scene.filled(runtime, model, make)
    faults = [fault async for fault in faults_of_structure(scene)]
    for ways in (ways_to_read, ways_to_write, ways_around):
        faults += [fault async for fault in ways(scene)]
    if await scene.foreign_rows() != scene.foreign_before:
        faults.append("rows of the other organization are not what they were")
    if faults:
        raise AssertionError(
            f"{model.__name__} is not isolated:\n" + "\n".join(f"  - {each}" for each in faults)
        )
