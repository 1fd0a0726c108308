"""Lets a request in, or says why not: the checks of RFC 6750 and the MCP authorization specification, in their order.

    host and origin        meant for this resource, by a page that may           421, 403
    credentials            one token, in one way                                 400
    a token at all                                                               401 without an error
    the token              issuer, audience, times, signature, still good        401 invalid_token
    its sender             bound to the key or certificate that is shown         401 invalid_token, invalid_dpop_proof
    its scopes             all that the operation needs                          403 insufficient_scope

They are asked of every request; nothing is remembered of an earlier one of the same connection or session.
"""

from collections.abc import Sequence

import structlog
from starlette.types import Scope

from portico.resource_server.credentials import Presented, RequestMalformed, read_credential
from portico.resource_server.declarations import Declaration
from portico.resource_server.errors import ServerUnavailable, TokenInvalid
from portico.resource_server.origins import HostAndOrigin
from portico.resource_server.refusing import Refusals
from portico.resource_server.types import Scheme, TokenFault, TokenHolder
from portico.resource_server.verifying.choosing import Authorities, Authority
from portico.resource_server.verifying.senders import ProofRefused, Senders

log = structlog.get_logger("portico.resource_server")


class Guard:
    """The guard of one resource."""

    def __init__(self, declaration: Declaration, authorities: Authorities) -> None:
        self._identifier = declaration.identifier
        self._requires_nonce = declaration.requires_dpop_nonce
        self._addresses = HostAndOrigin(
            declaration.identifier, declaration.allowed_hosts, declaration.allowed_origins
        )
        self._authorities = authorities
        self._senders = Senders(declaration)
        self._refusals = Refusals(declaration)

    async def admit(self, scope: Scope, needed: Sequence[str]) -> TokenHolder:
        """Return the holder of the request's token, which is good for all of `needed`.

        Raises:
            AccessRefused: it is not served.
        """
        self._addresses.check(scope["headers"])
        presented = self._presented(scope)
        if presented is None:
            raise self._refusals.no_token(needed)
        holder = await self._holder(scope, presented, needed)
        self._check(presented.scheme, holder, needed)
        return holder

    def check_scopes(self, scope: Scope, holder: TokenHolder, needed: Sequence[str]) -> None:
        """Refuse a token, admitted before, that is too narrow for what the request turned out to be.

        Raises:
            AccessRefused: it is (403).
        """
        presented = self._presented(scope)
        self._check(presented.scheme if presented is not None else Scheme.BEARER, holder, needed)

    def _presented(self, scope: Scope) -> Presented | None:
        try:
            return read_credential(scope["headers"], scope.get("query_string", b""))
        except RequestMalformed as error:
            raise self._refusals.malformed(str(error)) from None

    async def _holder(self, scope: Scope, presented: Presented, needed: Sequence[str]) -> TokenHolder:
        authority = self._authorities.of(scope)
        try:
            holder = await _verified(authority, presented)
            await self._senders.check(scope, presented, holder, authority.clock.now(), authority.proofs)
        except TokenInvalid as error:
            log.info("access_token_refused", resource=self._identifier, fault=str(error))
            raise self._refusals.invalid(presented.scheme, error.fault, needed) from None
        except ProofRefused as error:
            log.info("dpop_proof_refused", resource=self._identifier, fault=error.detail)
            nonce = authority.proofs.nonce(authority.clock.now()) if self._requires_nonce else None
            raise self._refusals.proof(error.error, error.description, nonce) from None
        except ServerUnavailable:
            raise self._refusals.unavailable() from None
        return holder

    def _check(self, scheme: Scheme, holder: TokenHolder, needed: Sequence[str]) -> None:
        if not holder.has(*needed):
            raise self._refusals.too_narrow(scheme, needed)


async def _verified(authority: Authority, presented: Presented) -> TokenHolder:
    if presented.token is None:
        raise TokenInvalid(TokenFault.NO_TOKEN_OF_OURS)
    return await authority.verifier.verify(presented.token)
