"""What can go wrong with one-time tokens, codes and refresh tokens.

Who presents a token of 256 bits may learn what became of it; who presents a code of eight digits learns only that
it was no good, whatever the reason, so that codes and addresses cannot be probed.
"""

from portico.core.errors import Gone, Malformed, Unauthenticated


class TokenInvalid(Malformed):
    """No such token for this purpose: altered, truncated, foreign, or meant for something else."""

    code, title = "token_invalid", "This link or code is not valid"


class TokenExpired(Gone):
    """The token was good once; its time is over."""

    code, title = "token_expired", "This link has expired"


class TokenUsed(Gone):
    """The token was redeemed before, or a newer one took its place."""

    code, title = "token_used", "This link was already used or replaced by a newer one"


class CodeInvalid(Malformed):
    """Wrong, expired, used up or foreign code: always the same answer. Kept, because the try is counted."""

    code, title = "code_invalid", "This code is not valid"
    persist = True


class RefreshTokenInvalid(Unauthenticated):
    """Malformed, expired, ended or unknown refresh token."""

    code, title = "refresh_token_invalid", "This session has ended, sign in again"


class RefreshTokenReplayed(Unauthenticated):
    """A refresh token came a second time: its family is ended. Kept, because that must be written."""

    code, title = "refresh_token_reused", "This session was ended because its token was used twice"
    persist = True
