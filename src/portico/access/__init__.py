"""Principals, roles and grants; fills the Authorizer port of `portico.http`."""
