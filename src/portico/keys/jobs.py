"""What every process repeats for its keys, and what one of them does for all."""

import structlog

from portico.keys.services import Keyring, rotate_due_keys
from portico.messaging import JobRun, job
from portico.runtime import Runtime

log = structlog.get_logger("portico.keys")


async def follow_keys(runtime: Runtime) -> None:
    """Read the keys that other processes made."""
    await runtime.get(Keyring).reload()


@job("keys.rotate")
async def rotate_old_keys(run: JobRun) -> None:
    """Give each key that is older than `keys.rotation_period` a successor."""
    for rotated in await rotate_due_keys(run.runtime):
        log.info(
            "signing_key_rotated",
            purpose=rotated.purpose,
            kid=rotated.kid,
            signs_from=str(rotated.signs_from),
        )
