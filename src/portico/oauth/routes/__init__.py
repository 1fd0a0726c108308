"""The endpoints of the protocol, and the API over clients and grants."""
