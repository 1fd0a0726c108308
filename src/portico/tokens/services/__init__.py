"""The engines: one-time tokens and codes, and rotating families of refresh tokens."""

from portico.tokens.services.one_time_tokens import OneTimeTokens
from portico.tokens.services.token_families import TokenFamilies

__all__ = ["OneTimeTokens", "TokenFamilies"]
