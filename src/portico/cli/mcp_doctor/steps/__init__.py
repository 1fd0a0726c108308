"""The way of an MCP client, from the first refusal to a call with a refreshed token: the table of steps."""

from portico.cli.mcp_doctor.steps.authorizing import (
    ask_for_authorization,
    check_answer,
    sign_in,
)
from portico.cli.mcp_doctor.steps.calling import call, call_again
from portico.cli.mcp_doctor.steps.discovering import (
    find_resource,
    find_server,
    show_bad_token,
    show_no_token,
)
from portico.cli.mcp_doctor.steps.redeeming import redeem_code, refresh
from portico.cli.mcp_doctor.steps.registering import register
from portico.cli.mcp_doctor.walking import Step

STEPS: tuple[Step, ...] = (
    Step(
        "challenge",
        "First call, without a token",
        "401 with a Bearer challenge that names resource_metadata, and no error",
        "RFC 9728, section 5.1; RFC 6750, section 3.1",
        show_no_token,
    ),
    Step(
        "bad-token",
        "A token that is none",
        "401 with error=invalid_token, and resource_metadata again",
        "RFC 6750, section 3.1; MCP authorization 2026-07-28",
        show_bad_token,
    ),
    Step(
        "resource",
        "Protected resource metadata",
        "200, JSON, a resource on the host of the URL, at least one authorization server",
        "RFC 9728, sections 2 and 3.3",
        find_resource,
    ),
    Step(
        "server",
        "Authorization server metadata",
        "the issuer as it was named, its endpoints, and S256",
        "RFC 8414, sections 2 and 3.3; MCP authorization 2026-07-28",
        find_server,
    ),
    Step(
        "registration",
        "Registration",
        "a client id by metadata document or registration, and a way to authenticate that the client can use",
        "RFC 7591, section 3.2.1; OAuth Client ID Metadata Document",
        register,
    ),
    Step(
        "authorization",
        "Authorization request",
        "a page that lets the person sign in, or a redirect to one",
        "OAuth 2.1, section 4.1.1; RFC 7636; RFC 8707",
        ask_for_authorization,
    ),
    Step(
        "sign-in",
        "Sign-in and consent",
        "a redirect to the client",
        "OAuth 2.1, section 4.1.2",
        sign_in,
    ),
    Step(
        "answer",
        "Authorization response",
        "a code, the state that was sent, and iss if the server announced it",
        "OAuth 2.1, section 4.1.2; RFC 9207, section 2.4",
        check_answer,
    ),
    Step(
        "token",
        "Code for token",
        "200, JSON, not to be stored: a bearer token for this resource, and a refresh token",
        "OAuth 2.1, section 3.2.3; RFC 8707, section 2.2",
        redeem_code,
    ),
    Step("call", "Call with the token", "the MCP server answers", "RFC 6750, section 2.1", call),
    Step(
        "refresh",
        "Refresh",
        "a new access token, and for a public client a new refresh token",
        "OAuth 2.1, section 4.3",
        refresh,
    ),
    Step(
        "call-again",
        "Call with the refreshed token",
        "the MCP server answers",
        "RFC 6750, section 2.1",
        call_again,
    ),
)
