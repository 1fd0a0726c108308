"""The authorization server: OAuth 2.1 and OpenID Connect for browsers, apps, devices, machines and MCP clients."""
