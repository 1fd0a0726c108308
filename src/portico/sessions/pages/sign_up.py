"""Sign-up, and the first administrator.

Where addresses must be proven, the answer is the same page whether or not the address has an account.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.credentials.policy import PasswordPolicy
from portico.credentials.services import NewRegistration, Registration, Setup
from portico.http.access import find_principal, public
from portico.http.dependencies import RuntimeDep, service
from portico.http.markers import limited, without_idempotency
from portico.runtime import Runtime
from portico.sessions.pages.entering import entered, present_session
from portico.sessions.services import PageSessions
from portico.sessions.types import AuthMethod
from portico.users.addresses import parse_address
from portico.users.settings import UsersSettings
from portico.users.types import Account, RegistrationMode
from portico.web.forms import Form, FormDep
from portico.web.languages import language_of
from portico.web.redirects import HOME
from portico.web.rendering import refused, render, see_other
from portico.web.templating import Templates
from portico.web.translations import mark

SIGN_UP = "sessions/signup.html.jinja"
CLOSED = "sessions/signup_closed.html.jinja"
CHECK_MAIL = "credentials/check_mail.html.jinja"
SETUP = "sessions/setup.html.jinja"
