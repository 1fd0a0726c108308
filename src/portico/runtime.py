"""What every entry point is handed: settings, clock, entropy, root secret, database, and what features provide.

HTTP, worker and command line each make one `Runtime` a process. Services take it with a `Unit` and pick their
collaborators from it in `__init__`; a feature offers its own (a key ring, a mailer, a filled port) by type.
"""

from dataclasses import dataclass, field
from uuid import UUID

from portico.core.clock import Clock, SystemClock
from portico.core.crypto import LastingSecret, RootSecret
from portico.core.entropy import Entropy, SystemEntropy
from portico.core.settings import FeatureSettings, Settings
from portico.db.database import Database
from portico.db.unit import Reads, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One process's collaborators; `provide` and `get` are typed by the class or protocol asked for."""

    settings: Settings
    secret: RootSecret
    database: Database
    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=SystemEntropy)
    provided: dict[type, object] = field(default_factory=dict)
    _sections: dict[type, FeatureSettings] = field(default_factory=dict, init=False, repr=False)

    def unit(self, organization_id: UUID | None = None) -> Unit:
        """Return a new unit of work, not yet open; with an organization it may touch its rows of scoped tables."""
        return Unit(self.database, organization_id)

    @property
    def reads(self) -> Reads:
        """Return the way to read: `async with runtime.reads() as session`, or `runtime.reads(organization_id)`."""
        return Reads(self.database)

    @property
    def lasting(self) -> RootSecret:
        """Return the secret of names, which stays when the root secret is changed; without `keys` it is that one."""
        return self.find(LastingSecret) or self.secret

    def section[T: FeatureSettings](self, kind: type[T]) -> T:
        """Return a feature's settings; kept here, because they are asked for several times a request."""
        found = self._sections.get(kind)
        if found is None:
            found = self._sections[kind] = self.settings.section(kind)
        return found  # type: ignore[return-value]  # kept under its own type

    def provide[T](self, kind: type[T], instance: T) -> None:
        """Offer `instance` to whoever asks for `kind`; the last one offered wins."""
        self.provided[kind] = instance

    def get[T](self, kind: type[T]) -> T:
        """Return what is provided for `kind`.

        Raises:
            LookupError: no enabled feature provides it.
        """
        instance = self.provided.get(kind)
        if instance is None:
            raise LookupError(f"nothing provides {kind.__name__}: is its feature enabled?")
        return instance  # type: ignore[return-value]  # `provide` stored it under its own type

    def find[T](self, kind: type[T]) -> T | None:
        """Return what is provided for `kind`, or None."""
        return self.provided.get(kind)  # type: ignore[return-value]  # as above
