"""Signing keys: made, sealed, published, rotated; the JWKS."""
