"""What is checked at which endpoint, in which order: a row a check, a column an endpoint.

The order is part of the meaning: until `redirect_is_registered` has passed, an error at the authorization endpoint is
shown to the visitor and sent nowhere; from then on it goes to the client.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.pipeline.checks import (
    authorizations,
    carried_requests,
    client_authentication,
    profiles,
    proofs,
    requests,
    targets,
    token_requests,
)

type Check = Callable[[Ask], Awaitable[None]]


class Row(NamedTuple):
    """One check and the endpoints that ask it, by letter."""

    where: str
    check: Check


COLUMNS = {
    "A": Endpoint.AUTHORIZE,
    "P": Endpoint.PUSHED,
    "D": Endpoint.DEVICE,
    "T": Endpoint.TOKEN,
    "R": Endpoint.REVOKE,
    "I": Endpoint.INTROSPECT,
}

TABLE = (
    Row("A P D T R I", requests.names_itself_once),
    Row("A . . . . .", requests.client_is_known),
    Row(". P D T R I", requests.repeats_nothing),
    Row(". P D T R I", client_authentication.client_is_authenticated),
    Row(". . . . . I", client_authentication.client_can_prove_itself),
    Row("A P D T R I", requests.client_is_on),
    Row(". . . T . .", token_requests.grant_type_is_offered),
    Row(". . . T . .", token_requests.grant_type_is_registered),
    Row(". . D . . .", token_requests.device_grant_is_registered),
    Row("A P . . . .", carried_requests.request_is_carried_one_way),
    Row("A P . . . .", carried_requests.pushed_request_is_opened),
    Row("A P . . . .", carried_requests.signed_request_is_opened),
    Row("A P . . . .", requests.redirect_is_registered),
    Row("A P . . . .", requests.response_mode_is_offered),
    Row("A . . . . .", requests.repeats_nothing),
    Row("A P . . . .", requests.state_and_nonce_are_short),
    Row("A P . . . .", requests.registration_is_not_inline),
    Row("A P . . . .", requests.response_type_is_code),
    Row("A . . . . .", authorizations.was_pushed_where_it_must),
    Row("A P . . . .", authorizations.was_signed_where_it_must),
    Row("A P . . . .", authorizations.challenge_is_good),
    Row("A P . . . .", authorizations.prompts_are_known),
    Row("A P . . . .", authorizations.max_age_is_a_number),
    Row("A P . . . .", authorizations.claims_are_readable),
    Row("A P . . . .", authorizations.hint_is_ours),
    Row("A P D . . .", authorizations.details_are_known),
    Row("A P . . . .", proofs.code_key_is_named),
    Row(". . . T . .", proofs.sender_key_is_proven),
    Row("A P D . . .", targets.resources_are_known),
    Row("A P D . . .", targets.scopes_are_known),
    Row("A P . . . .", profiles.authorization_fits_profile),
    Row(". . . T . .", profiles.token_request_fits_profile),
)
"""The pipeline. What a grant type asks besides stands with it, in `services.token_grants`."""

STEPS = {
    endpoint: tuple(row.check for row in TABLE if letter in row.where) for letter, endpoint in COLUMNS.items()
}


async def check(ask: Ask) -> None:
    """Run the checks of the endpoint, in order.

    Raises:
        Refused, OAuthRefusal: the first that says no.
    """
    for step in STEPS[ask.endpoint]:
        await step(ask)
