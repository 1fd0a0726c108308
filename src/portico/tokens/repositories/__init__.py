"""Every SQL statement of the token engines; Core statements, built once, because refresh is a hot path."""

from portico.tokens.repositories.one_time_tokens import OneTimeTokenRepository
from portico.tokens.repositories.token_families import TokenFamilyRepository

__all__ = ["OneTimeTokenRepository", "TokenFamilyRepository"]
