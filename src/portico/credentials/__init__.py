"""Proofs of one person: passwords; registration and recovery live here."""
