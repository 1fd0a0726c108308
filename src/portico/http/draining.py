"""How the server tells the application that it is about to end: by an entry in the `state` of every scope."""

from typing import Final

from starlette.types import Scope

DRAINING: Final = "portico.draining"


def is_draining(scope: Scope) -> bool:
    """Tell whether the server that serves this request is about to end."""
    return DRAINING in scope.get("state", ())
