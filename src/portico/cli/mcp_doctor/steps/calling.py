"""A call of the MCP server with a token: its list of tools, or the tool that was named."""

from collections.abc import Mapping
from typing import Any

from portico.cli.mcp_doctor.challenges import read_challenges
from portico.cli.mcp_doctor.findings import Broken, Odd
from portico.cli.mcp_doctor.steps.messages import (
    error_of,
    result_of,
    send_call,
    send_with_handshake,
    speaks_no_modern,
)
from portico.cli.mcp_doctor.walking import Walk
from portico.cli.mcp_doctor.wire import Answer

MENDS = {
    401: "the identifier in protected_resource(…) and the resource of the authorization server must be the same text",
    403: "the token lacks a scope: does the challenge of the first 401 name all that the call needs?",
    421: "list the host in allowed_hosts of protected_resource(…)",
}

AT_ONCE = "clients that cannot ask again need all scopes in the first challenge: scopes=[…] of feature(…)"


async def call(walk: Walk) -> str | Odd:
    """Call with the token."""
    return await _called(walk, walk.tokens)


async def call_again(walk: Walk) -> str | Odd:
    """Call with the refreshed token."""
    return await _called(walk, walk.refreshed or walk.tokens)


async def _called(walk: Walk, tokens: Mapping[str, Any]) -> str | Odd:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    method, params = _wish(walk)
    answer = await send_call(walk.wire, walk.url, method, params, headers)
    if speaks_no_modern(answer):
        answer = await send_with_handshake(walk.wire, walk.url, method, params, headers)
    if answer.status in {404, 405} and walk.options.tool is None:
        answer = await walk.wire.send("GET", walk.url, headers)
        if 200 <= answer.status < 300:
            return f"no MCP server, but an API: GET answers {answer.status}"
    return _more_wanted(tokens, answer) or _judged(method, answer)


def _wish(walk: Walk) -> tuple[str, Mapping[str, Any]]:
    if walk.options.tool is None:
        return "tools/list", {}
    return "tools/call", {"name": walk.options.tool, "arguments": walk.options.arguments}


def _more_wanted(tokens: Mapping[str, Any], answer: Answer) -> Odd | None:
    """A refusal that names more than the token has is an invitation (MCP authorization, step-up flow)."""
    asked = next((each.parameters for each in read_challenges(answer.all("www-authenticate"))), {})
    more = set(asked.get("scope", "").split()) - set(str(tokens.get("scope", "")).split())
    if answer.status != 403 or asked.get("error") != "insufficient_scope" or not more:
        return None
    return Odd(f"403 asks for {' '.join(sorted(more))}: clients ask the person again", AT_ONCE)


def _judged(method: str, answer: Answer) -> str | Odd:
    result = result_of(answer)
    if answer.status == 200 and result is not None:
        tools = result.get("tools")
        named = (
            ", ".join(str(tool.get("name")) for tool in tools if isinstance(tool, dict))
            if isinstance(tools, list)
            else ""
        )
        return f"{method} answers" + (f": {named}" if named else "")
    told = error_of(answer) or answer.excerpt
    challenges = read_challenges(answer.all("www-authenticate"))
    error = next((each.parameters["error"] for each in challenges if "error" in each.parameters), "")
    raise Broken(f"{answer.status} {error} {told}".replace("  ", " ").strip(), MENDS.get(answer.status, ""))
