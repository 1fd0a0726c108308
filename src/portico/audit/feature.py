"""What the trail contributes to the application."""

from portico.feature import Feature


def audit_feature() -> Feature:
    """Return the declaration."""
    return Feature(name="audit")
