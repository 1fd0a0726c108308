"""What the forms of keys have in common, and how keys stand in the lists of pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from portico.api_keys.models import ApiKey
from portico.api_keys.schemas import PageNewKey, state_of
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import KeyState, NewKey
from portico.api_keys.wording import words_of
from portico.core.ids import OrganizationId
from portico.runtime import Runtime
from portico.users.account_pages import AccountPage
from portico.users.ports import Reauthentication
from portico.web.forms import Form

SCOPE: Final = "scope."
"""Before the name of a box that stands for a scope."""
AGES: Final = (7, 30, 90, 180, 365)
"""For how many days a key may be made, as far as the settings allow."""
LIVING: Final = frozenset({KeyState.ACTIVE, KeyState.ROTATED})


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key in a list. `holder` is the organization or service account that is spoken of beside it."""

    row: ApiKey
    state: KeyState
    holder: str | None
    scopes: tuple[str, ...]
    """In plain words."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A box to tick."""

    name: str
    label: str

    @classmethod
    def of(cls, scope: str) -> "Choice":
        """Return the box of a scope."""
        return cls(SCOPE + scope, words_of(scope))


def listed(runtime: Runtime, rows: Iterable[ApiKey], holders: Mapping[UUID, str]) -> dict[str, Any]:
    """Return the keys as templates show them: those that are good for something, and those that are over."""
    now = runtime.clock.now()
    shown = []
    for row in rows:
        about = row.organization_id if row.principal_id not in holders else row.principal_id
        holder = holders.get(about) if about else None
        scopes = tuple(words_of(scope) for scope in row.scopes)
        shown.append(ShownKey(row, state_of(row, now), holder, scopes))
    return {
        "keys": [key for key in shown if key.state in LIVING],
        "over": [key for key in shown if key.state not in LIVING],
    }


def bounds(runtime: Runtime) -> dict[str, Any]:
    """Return what the settings say of new keys."""
    settings = runtime.section(ApiKeysSettings)
    return {
        "ages": [days for days in AGES if timedelta(days=days) <= settings.max_age],
        "usual_age": settings.default_age.days,
        "overlap_hours": int(settings.overlap.total_seconds() // 3_600),
    }


async def confirm(page: AccountPage, wish: Any) -> None:
    """Have the person prove that it is he, by the form's password or a sign-in of the last minutes.

    Raises:
        ReauthenticationRequired, PasswordIncorrect, TooManyAttempts: as the port says.
    """
    password = wish.password.get_secret_value() if wish.password else None
    await page.runtime.get(Reauthentication).confirm(page.principal, password)


def scopes_in(form: Form) -> list[str]:
    """Return the scopes whose boxes were ticked."""
    return [name.removeprefix(SCOPE) for name in form.values if name.startswith(SCOPE)]


def without_scopes(form: Form) -> Form:
    """Return the rest of the form, which is read like any other."""
    return form.without(boxes=SCOPE)


def new_key(page: AccountPage, wish: PageNewKey, form: Form, organization_id: UUID | None = None) -> NewKey:
    """Return the key that a form asks for."""
    where = organization_id or wish.organization_id
    return NewKey(
        name=wish.name,
        scopes=scopes_in(form),
        organization_id=OrganizationId(where) if where else None,
        service_account_id=wish.service_account_id,
        networks=wish.networks.split() if wish.networks else (),
        expires_at=page.runtime.clock.now() + timedelta(days=wish.days),
    )
