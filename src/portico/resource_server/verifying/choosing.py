"""Who verifies the tokens of a request: a remote server, or the Portico that serves it."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.types import Scope

from portico.core.clock import Clock
from portico.outbound import Outbound
from portico.resource_server.declarations import Declaration
from portico.resource_server.verifying.asking import AskingVerifier
from portico.resource_server.verifying.claims import Demands, Verifier
from portico.resource_server.verifying.discovery import RemoteServer
from portico.resource_server.verifying.local import LocalVerifier
from portico.resource_server.verifying.remote import RemoteVerifier
from portico.resource_server.verifying.replays import OwnProofs, SharedProofs
from portico.resource_server.verifying.senders import Proofs
from portico.runtime import Runtime

NONCE_KEY: Final = "resource_server.dpop_nonce"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issues the tokens, and what verifies them."""

    issuer: str
    verifier: Verifier
    clock: Clock
    proofs: Proofs


class LocalAuthorities(dict[str, Authority]):
    """The authorities of one process by the identifiers of their resources."""


class Authorities:
    """Finds the authority of a resource; a remote one is made at the first request, a local one by process."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._outbound: Outbound | None = None
        self._remote: Authority | None = None

    def of(self, scope: Scope) -> Authority:
        """Return the authority for a request.

        Raises:
            RuntimeError: no server was named, and the application around is no Portico.
        """
        issuer = self._declaration.authorization_server
        if issuer is not None:
            self._remote = self._remote or self._remote_of(issuer)
            return self._remote
        runtime: Runtime | None = getattr(getattr(scope.get("app"), "state", None), "runtime", None)
        if runtime is None:
            raise RuntimeError(
                f"{self._declaration.identifier}: there is no Portico in this process; name the authorization_server"
            )
        return self._local_of(runtime)

    async def close(self) -> None:
        """Close what was opened to a remote server."""
        outbound, self._outbound, self._remote = self._outbound, None, None
        if outbound is not None:
            await outbound.close()

    def _remote_of(self, issuer: str) -> Authority:
        declaration = self._declaration
        self._outbound = Outbound(declaration.outbound)
        server = RemoteServer(issuer, self._outbound, declaration.clock)
        demands = Demands(issuer, declaration.identifier, declaration.widened)
        if declaration.introspection is not None:
            verifier: Verifier = AskingVerifier(server, declaration.introspection, demands, declaration.clock)
        else:
            verifier = RemoteVerifier(server, demands, declaration.clock)
        return Authority(issuer, verifier, declaration.clock, Proofs(OwnProofs()))

    def _local_of(self, runtime: Runtime) -> Authority:
        issuer, identifier = runtime.settings.public_url, self._declaration.identifier
        known = runtime.find(LocalAuthorities)
        if known is None:
            known = LocalAuthorities()
            runtime.provide(LocalAuthorities, known)
        if identifier not in known:
            demands = Demands(issuer, identifier, self._declaration.widened)
            proofs = Proofs(SharedProofs(runtime, identifier), partial(runtime.secret.mac, NONCE_KEY))
            known[identifier] = Authority(issuer, LocalVerifier(runtime, demands), runtime.clock, proofs)
        return known[identifier]
