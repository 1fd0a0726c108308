"""Sealing anew what is sealed under a root secret that is to go.

Goes through every column that a feature declared, in batches by key, and writes a value only if nobody wrote another
one meanwhile; so it may run beside servers, be interrupted, and run again.
"""

from typing import Any, Final

from portico.core.crypto import SealBroken
from portico.feature import FeatureSet
from portico.keys.repositories import SealedRepository
from portico.keys.types import Resealed, ResealStep, SealedColumn
from portico.runtime import Runtime

BATCH: Final = 200


async def reseal(runtime: Runtime) -> list[Resealed]:
    """Seal everything under the present root secret; what is so already is left alone."""
    features = runtime.get(FeatureSet)
    done = [await _reseal_column(runtime, column) for column in features.contributed(SealedColumn)]
    steps = features.contributed(ResealStep)
    return done + [Resealed(name=step.name, count=await step.run(runtime)) for step in steps]


async def _reseal_column(runtime: Runtime, column: SealedColumn) -> Resealed:
    count, unopened, after = 0, 0, None
    while found := await _next(runtime, column, after):
        after = found[-1][0]
        stale = [row for row in found if not _is_current(runtime, column, *row)]
        fresh = [(key, value, _sealed_anew(runtime, column, key, value)) for key, value in stale]
        unopened += sum(sealed is None for _, _, sealed in fresh)
        count += await _write(runtime, column, [row for row in fresh if row[2] is not None])
    return Resealed(name=column.name, count=count, unopened=unopened)


async def _next(runtime: Runtime, column: SealedColumn, after: Any) -> list[tuple[Any, bytes]]:
    async with runtime.reads() as session:
        return await SealedRepository(session, column).list_values(after, BATCH)


def _is_current(runtime: Runtime, column: SealedColumn, key: Any, value: bytes) -> bool:
    return runtime.secret.opens(column.purpose, value, context=column.context(key))


def _sealed_anew(runtime: Runtime, column: SealedColumn, key: Any, value: bytes) -> bytes | None:
    context = column.context(key)
    try:
        plain = runtime.secret.open(column.purpose, value, context=context)
    except SealBroken:
        return None
    return runtime.secret.seal(column.purpose, plain, context=context, entropy=runtime.entropy)


async def _write(runtime: Runtime, column: SealedColumn, fresh: list[tuple[Any, bytes, Any]]) -> int:
    if not fresh:
        return 0
    async with runtime.unit() as unit:
        values = SealedRepository(unit.session, column)
        return sum([await values.replace_value(*row) for row in fresh])
