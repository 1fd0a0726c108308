"""The MCP server itself: two tools. It knows nothing of tokens but whose one the request came with."""

import logging
from collections import defaultdict
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from portico.resource_server import token_holder


def notebook() -> MCPServer[Any]:
    """Return the server with an empty notebook; what is written lives as long as the process."""
    server: MCPServer[Any] = MCPServer(
        "Notes", instructions="Keeps short notes of the person who connected it.", log_level="WARNING"
    )
    # The SDK sends the log to a handler of its own, for programs that have none; Portico has one.
    logging.getLogger().handlers.clear()
    logging.getLogger("mcp").setLevel(logging.WARNING)
    notes: defaultdict[str, list[str]] = defaultdict(list)

    @server.tool()
    async def read_notes(here: Context[Any, Any]) -> list[str]:
        """Return all notes of the person, oldest first."""
        return notes[_owner(here)]

    @server.tool()
    async def add_note(text: str, here: Context[Any, Any]) -> int:
        """Add a note, and return how many there are now."""
        mine = notes[_owner(here)]
        mine.append(text)
        return len(mine)

    return server


def _owner(here: Context[Any, Any]) -> str:
    return token_holder(here.request_context.request).sub
