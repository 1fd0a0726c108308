"""The mails of this feature: what each is told, and where its link leads. Links start with the public URL, always."""

from typing import Any

from portico.core.context import current_request
from portico.db.unit import Unit
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.tokens.types import IssuedToken
from portico.users.addresses import parse_address
from portico.users.types import Account


class CredentialMails:
    """Writes mails into the open unit."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    def reset_password(self, account: Account, token: IssuedToken) -> None:
        """Send the link and the code that let the person choose a new password."""
        url = f"{self._runtime.settings.public_url}/reset?token={token.secret}"
        self._send(
            "reset_password",
            account,
            url=url,
            code=token.code,
            code_expires_at=token.code_expires_at,
            expires_at=token.expires_at,
        )

    def password_changed(self, account: Account) -> None:
        """Tell that the password was changed, when and from where (ASVS 5.0 V6.3.7)."""
        self._send(
            "password_changed",
            account,
            changed_at=self._runtime.clock.now(),
            device=None,
            address=current_request().client_address,
        )

    def already_registered(self, account: Account) -> None:
        """Tell the owner of an address that somebody signed up with it."""
        self._send("already_registered", account)

    def welcome_administrator(self, account: Account) -> None:
        """Greet the first administrator."""
        self._send("welcome_administrator", account, url=None)

    def _send(self, template: str, account: Account, **context: Any) -> None:
        self._runtime.get(Mailer).enqueue(
            self._unit,
            template=template,
            to=parse_address(account.email).deliverable,
            locale=account.locale,
            context={"name": account.full_name or account.username, **context},
        )
