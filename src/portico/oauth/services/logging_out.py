"""Signing out when a client asks for it (RP-Initiated Logout 1.0).

What the browser brings proves nothing: who is not known to be meant by the hint is asked. Ending the session is the
business of sessions; with it end the grants that were given in it, and its clients are told (`services.back_channel`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.core.ids import UserId
from portico.http.authentication import CredentialKind, Principal
from portico.oauth.pipeline.checks.requests import MAX_STATE
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.oidc_logout import (
    Hint,
    LogoutRequest,
    client_of,
    frontchannel_uri,
    judge_logout,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import metadata_of
from portico.oauth.repositories.relying_parties import RelyingPartyRepository
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.subjects import subject_of
from portico.runtime import Runtime
from portico.sessions.services import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """What a request to sign out comes to. `return_to` is registered by `client`, and has the state in it."""

    request: LogoutRequest
    client: Client | None
    asks: bool
    """Whether the person decides."""
    return_to: str | None


class LoggingOut:
    """Judges requests to sign out, and signs out."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def judge(self, given: Parameters, principal: Principal | None) -> Farewell:
        """Return what is to be done (row 26.1).

        Raises:
            Refused: the hint is not ours, the redirect is not registered, or the request cannot be read: the answer is
                a page, never a redirect (section 3).
        """
        request = _read(given)
        hint = self._hint(request.id_token_hint)
        client_id = client_of(request, hint)
        client = await self._runtime.get(ClientBook).find_known(client_id) if client_id is not None else None
        verdict = judge_logout(
            request,
            hint,
            registered=client.metadata.post_logout_redirect_uris if client is not None else None,
            is_own_session=self._is_meant(hint, client, session_of(principal)),
        )
        return Farewell(request=request, client=client, asks=verdict.asks, return_to=verdict.return_to)

    async def sign_out(self, principal: Principal | None) -> Sequence[str]:
        """End the session of the browser; return what is to be loaded in frames for clients that want to hear so.

        Nothing happens where there is no session.
        """
        signed_in = session_of(principal)
        if signed_in is None or signed_in.session_id is None:
            return ()
        frames = await self._frames(signed_in.session_id)
        unit = self._runtime.unit()
        await Sessions(self._runtime, unit).log_out(
            UserId(signed_in.id), signed_in.session_id, actor=signed_in
        )
        return frames

    def _hint(self, text: str | None) -> Hint | None:
        if text is None:
            return None
        claims = self._runtime.get(IdTokens).read_hint(text)
        if claims is None:
            raise Refused(ErrorCode.INVALID_REQUEST, "id_token_hint is not one of ours")
        return Hint(client_id=claims["aud"], subject=claims["sub"], sid=claims.get("sid"))

    def _is_meant(self, hint: Hint | None, client: Client | None, signed_in: Principal | None) -> bool:
        """Tell whether the hint speaks of whoever is signed in; of nobody, nothing can be taken away."""
        if signed_in is None:
            return True
        if hint is None or client is None:
            return False
        is_this_session = hint.sid is not None and hint.sid == str(signed_in.session_id)
        return is_this_session or hint.subject == subject_of(self._runtime, client, signed_in.id)

    async def _frames(self, session_id: UUID) -> list[str]:
        """Return the addresses of clients that let the browser tell them (Front-Channel Logout 1.0, section 3)."""
        async with self._runtime.reads() as session:
            found = await RelyingPartyRepository(session).list_of_sessions([session_id])
        clients = [metadata_of(each.registered) for each in found]
        return [
            frontchannel_uri(
                client.frontchannel_logout_uri,
                issuer=self._runtime.settings.public_url,
                sid=str(session_id),
                session_required=client.frontchannel_logout_session_required,
            )
            for client in clients
            if client.frontchannel_logout_uri is not None
        ]


def session_of(principal: Principal | None) -> Principal | None:
    """Return who is signed in in this browser; whoever shows another credential is not."""
    if principal is None or principal.credential is not CredentialKind.COOKIE:
        return None
    return principal


def _read(given: Parameters) -> LogoutRequest:
    if twice := given.repeated:
        raise Refused(ErrorCode.INVALID_REQUEST, f"{min(twice)} was given more than once")
    state = given.one("state")
    if len(state or "") > MAX_STATE:
        raise Refused(ErrorCode.INVALID_REQUEST, f"state has more than {MAX_STATE} characters")
    return LogoutRequest(
        id_token_hint=given.one("id_token_hint"),
        client_id=given.one("client_id"),
        post_logout_redirect_uri=given.one("post_logout_redirect_uri"),
        state=state,
    )
