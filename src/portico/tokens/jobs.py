"""Queued work of the token engines: forgetting what has been over for a while."""

from portico.messaging import JobRun, job
from portico.tokens.services import OneTimeTokens, TokenFamilies
from portico.tokens.settings import TokensSettings

BATCH = 500
"""Rows a transaction deletes, so that nobody waits long for the writer."""


@job("tokens.sweep")
async def sweep_tokens(run: JobRun) -> None:
    """Delete tokens and families that were over for longer than `tokens.keep_ended`, a batch a transaction."""
    runtime = run.runtime
    before = runtime.clock.now() - runtime.section(TokensSettings).keep_ended
    while await OneTimeTokens(runtime, runtime.unit()).sweep(before, limit=BATCH) == BATCH:
        pass
    while await TokenFamilies(runtime, runtime.unit()).sweep(before, limit=BATCH) == BATCH:
        pass
