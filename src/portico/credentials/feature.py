"""What credentials contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from portico.credentials.jobs import sweep_guesses
from portico.credentials.pages import router as pages_router
from portico.credentials.passwords import Passwords
from portico.credentials.permissions import CredentialPermission
from portico.credentials.personal_data import CREDENTIALS_PERSONAL_DATA
from portico.credentials.ports import Admission
from portico.credentials.routes import router
from portico.credentials.services import GuessesUnderWay, PasswordReauthentication, TokenAdmission
from portico.credentials.settings import CredentialsSettings
from portico.credentials.subscribers import replace_password
from portico.feature import Feature
from portico.messaging import Schedule, on
from portico.runtime import Runtime
from portico.users.events import UserClaimed
from portico.users.ports import Reauthentication


def credentials_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="credentials",
        routers=[router],
        pages=[pages_router],
        subscribers=[on(UserClaimed, replace_password)],
        schedules=[Schedule(sweep_guesses, every=timedelta(hours=6))],
        permissions=CredentialPermission,
        settings=CredentialsSettings,
        ports={
            GuessesUnderWay: lambda _: GuessesUnderWay(),
            Passwords: Passwords.from_runtime,
            Admission: TokenAdmission,
            Reauthentication: PasswordReauthentication,
        },
        lifespan=_hashing,
        personal_data=CREDENTIALS_PERSONAL_DATA,
        templates="portico.credentials",
    )


@asynccontextmanager
async def _hashing(runtime: Runtime) -> AsyncIterator[None]:
    """Let the hashing threads go when the process ends."""
    try:
        yield
    finally:
        await runtime.get(Passwords).close()
