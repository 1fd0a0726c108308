"""A notebook that AI assistants read and write, each person's own: an MCP server in the same process as Portico."""
