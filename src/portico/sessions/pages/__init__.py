"""The pages that change who is signed in: sign-in and sign-out, sign-up, proof of an address, password, devices.

They stand here and not with the features below because each of them starts, renews or ends a browser session. None of
them shows or takes a token of the API.
"""

from portico.sessions.pages.devices import router as devices_router
from portico.sessions.pages.impersonation import router as impersonation_router
from portico.sessions.pages.password import router as password_router
from portico.sessions.pages.sign_in import router as sign_in_router
from portico.sessions.pages.sign_up import router as sign_up_router
from portico.sessions.pages.verification import router as verification_router

routers = (
    sign_in_router,
    sign_up_router,
    verification_router,
    password_router,
    devices_router,
    impersonation_router,
)
"""All of them, for the declaration of the feature."""

__all__ = ["routers"]
