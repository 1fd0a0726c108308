"""Settings of people: who may sign up, whether addresses must be proven, how long the deleted are kept."""

from datetime import timedelta

from pydantic import Field, field_validator

from portico.core.settings import Environment, FeatureSettings, Settings
from portico.users.types import EmailVerification, RegistrationMode
from portico.users.usernames import skeleton


class UsersSettings(FeatureSettings):
    """People: sign-up, addresses, profile, deletion."""

    registration: RegistrationMode = RegistrationMode.OPEN
    """Who may sign up: `open` to all, by `invite` (a registration token), or `closed`."""
    email_verification: EmailVerification | None = None
    """`optional`: signing in works before the address is proven; `required`: only after. Default: optional in
    development and test, required in staging and production."""
    verification_ttl: timedelta = Field(timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=7))
    """How long the link that proves an address is good, at sign-up and at a change."""
    verification_mails: str = "1/minute 5/hour"
    """How often a verification mail is sent again to one address, whoever asks."""
    unasked_mails: str = "3/minute 10/hour"
    """Mails that others can cause to one address: recovery, and sign-ups with an address that is taken."""
    code_tries: str = "10/hour 30/day"
    """Codes that may be tried for one address; its links keep working beyond."""
    recent_sign_in: timedelta = Field(timedelta(minutes=10), ge=timedelta(0), le=timedelta(hours=1))
    """How old a sign-in may be for changing the address or deleting the account without the password."""
    deletion_grace: timedelta = Field(timedelta(days=30), ge=timedelta(0), le=timedelta(days=365))
    """How long a deleted account is kept for restoring before it is erased."""
    purge_batch: int = Field(50, ge=1, le=1000)
    """Accounts erased in one transaction."""
    reserved_usernames: frozenset[str] = frozenset()
    """Names that nobody may take, on top of the built-in list (admin, root, support, …) and the product's name."""
    locales: tuple[str, ...] = ("en", "de")
    """Languages that a person may choose; the first is the default."""
    default_timezone: str = "UTC"
    """Time zone of new accounts (IANA name)."""
    cached_profiles: int = Field(20_000, ge=0, le=1_000_000)
    """Profiles that each process keeps ready for `GET /users/me`, about 1 kB each."""

    @field_validator("reserved_usernames")
    @classmethod
    def _by_look(cls, names: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in names if skeleton(name))

    def requires_proof(self, settings: Settings) -> bool:
        """Tell whether an address must be proven before the first sign-in."""
        if self.email_verification is not None:
            return self.email_verification is EmailVerification.REQUIRED
        return settings.environment in {Environment.STAGING, Environment.PRODUCTION}
