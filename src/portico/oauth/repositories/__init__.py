"""Every SQL statement of the authorization server."""
