"""What the pages of the account have in common, also those of the features above: whose account it is, his language.

A page is a dependency of its routes: `page: Annotated[ProfilePage, Depends(ProfilePage)]`.
"""

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from portico.core.errors import PorticoError
from portico.core.ids import UserId
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.users.dependencies import UsersDep
from portico.users.types import Account
from portico.web.forms import Form, blame
from portico.web.rendering import refused, render, see_other


class AccountPage:
    """One page of the account, for the person who looks at it."""

    template: ClassVar[str]
    password_field: ClassVar[str] = "password"
    """Where a wrong password is told that was to confirm an act."""

    def __init__(
        self, request: Request, runtime: RuntimeDep, principal: PrincipalDep, users: UsersDep
    ) -> None:
        self.request = request
        self.runtime = runtime
        self.principal = principal
        self.user_id = UserId(principal.id)
        self._users = users

    async def more(self, account: Account) -> dict[str, Any]:
        """Return what the template needs besides `account`."""
        return {}

    async def show(self) -> Response:
        """Return the page."""
        return render(self.request, self.template, **await self._context())

    async def refused(self, form: Form, refusal: PorticoError) -> Response:
        """Return the page with a form that was refused."""
        blamed = blame(refusal, "password_incorrect", self.password_field)
        return refused(self.request, self.template, form, blamed, **await self._context())

    def done(self, path: str, message: str) -> Response:
        """Lead on after a form that worked; `message`, a marked text, is shown there once."""
        return see_other(self.request, path, message)

    async def _context(self) -> dict[str, Any]:
        account = await self._users.get_user(self.user_id)
        return {"account": account, "language": account.locale, **await self.more(account)}
