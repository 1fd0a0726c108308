"""Work that the token engines repeat: forgetting what has been over for a while."""

from portico.runtime import Runtime
from portico.tokens.services import OneTimeTokens, TokenFamilies
from portico.tokens.settings import TokensSettings

BATCH = 500
"""Rows a transaction deletes, so that nobody waits long for the writer."""


async def sweep_tokens(runtime: Runtime) -> None:
    """Delete tokens and families that were over for longer than `tokens.keep_ended`, a batch a transaction."""
    before = runtime.clock.now() - runtime.section(TokensSettings).keep_ended
    while await OneTimeTokens(runtime, runtime.unit()).sweep(before, limit=BATCH) == BATCH:
        pass
    while await TokenFamilies(runtime, runtime.unit()).sweep(before, limit=BATCH) == BATCH:
        pass
