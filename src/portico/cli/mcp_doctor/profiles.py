"""What real clients send when they connect, as of September 2026: one row a client, nothing but data.

`{port}` is the free port on which the client waits for its answer. A client with a `document` names it as its
`client_id` where the server takes such documents, and registers itself where it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CODE = ("authorization_code",)
REFRESHING = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One client. `registered` are the redirect URIs that it registers, `redirect` the one that it then uses."""

    name: str
    title: str
    registered: tuple[str, ...]
    redirect: str
    document: str | None = None
    auth_method: str = "none"
    grant_types: tuple[str, ...] = REFRESHING
    members: Mapping[str, Any] = field(default_factory=dict)
    """What else stands in its registration."""
    trap: str = ""
    """What servers have stumbled over."""

    @property
    def is_local(self) -> bool:
        """Tell whether the answer comes to the person's own device, where a doctor can wait for it."""
        return "{port}" in self.redirect

    @property
    def refreshes(self) -> bool:
        """Tell whether it expects a refresh token."""
        return "refresh_token" in self.grant_types

    def registration(self, port: int) -> dict[str, Any]:
        """Return the body of its registration."""
        return {
            "client_name": self.title,
            "redirect_uris": [uri.replace("{port}", str(port)) for uri in self.registered],
            "grant_types": list(self.grant_types),
            "response_types": ["code"],
            "token_endpoint_auth_method": self.auth_method,
            **self.members,
        }

    def redirect_uri(self, port: int) -> str:
        """Return where it wants its answer."""
        return self.redirect.replace("{port}", str(port))


PROFILES: tuple[Profile, ...] = (
    Profile(
        name="claude-code",
        title="Claude Code",
        document="https://claude.ai/oauth/claude-code-client-metadata",
        registered=("http://localhost:{port}/callback",),
        redirect="http://localhost:{port}/callback",
        trap="its document lists http://localhost/callback without a port, and it uses any",
    ),
    Profile(
        name="claude",
        title="Claude",
        registered=("https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"),
        redirect="https://claude.ai/api/mcp/auth_callback",
        auth_method="client_secret_post",
        trap="its secret comes in the body; the metadata must name the host of the connector's URL",
    ),
    Profile(
        name="chatgpt",
        title="ChatGPT",
        registered=("https://chatgpt.com/connector_platform_oauth_redirect",),
        redirect="https://chatgpt.com/connector_platform_oauth_redirect",
        trap="it wants offline_access among the scopes of the authorization server",
    ),
    Profile(
        name="vscode",
        title="Visual Studio Code",
        document="https://vscode.dev/oauth/client-metadata.json",
        registered=("http://127.0.0.1:33418/", "https://vscode.dev/redirect"),
        redirect="http://127.0.0.1:{port}/",
        members={"application_type": "native"},
        trap="it uses another port than the registered one where that is taken",
    ),
    Profile(
        name="cursor",
        title="Cursor",
        registered=(
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ),
        redirect="cursor://anysphere.cursor-mcp/oauth/callback",
        trap="one registration mixes a scheme of its own, https and loopback",
    ),
    Profile(
        name="codex",
        title="Codex",
        registered=("http://127.0.0.1:{port}/callback",),
        redirect="http://127.0.0.1:{port}/callback",
        members={"application_type": "native"},
    ),
    Profile(
        name="opencode",
        title="OpenCode",
        registered=("http://127.0.0.1:{port}/mcp/oauth/callback",),
        redirect="http://127.0.0.1:{port}/mcp/oauth/callback",
        trap="it names no application_type although its redirect URI is on loopback",
    ),
    Profile(
        name="zed",
        title="Zed",
        registered=("http://127.0.0.1:{port}/callback",),
        redirect="http://127.0.0.1:{port}/callback",
    ),
    Profile(
        name="inspector",
        title="MCP Inspector",
        registered=("http://127.0.0.1:6276/oauth/callback",),
        redirect="http://127.0.0.1:{port}/oauth/callback",
    ),
    Profile(
        name="mcp-remote",
        title="mcp-remote",
        registered=("http://localhost:{port}/oauth/callback",),
        redirect="http://localhost:{port}/oauth/callback",
    ),
)
