"""The authorization endpoint: what becomes of a request, and what makes it wait."""

from portico.oauth.services.authorizing.decisions import (
    Answer,
    ApprovalNeeded,
    Choice,
    ConsentNeeded,
    Decision,
    NotSentBack,
    Question,
    SignInNeeded,
)
from portico.oauth.services.authorizing.requests import Authorizing, asked_scopes

__all__ = [
    "Answer",
    "ApprovalNeeded",
    "Authorizing",
    "Choice",
    "ConsentNeeded",
    "Decision",
    "NotSentBack",
    "Question",
    "SignInNeeded",
    "asked_scopes",
]
