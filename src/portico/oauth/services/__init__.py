"""The use cases of the authorization server."""
