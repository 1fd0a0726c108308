"""What the trail contributes to the application."""

from portico.audit.personal_data import AUDIT_PERSONAL_DATA
from portico.audit.subscribers import record_key_rotation
from portico.feature import Feature
from portico.keys.events import SigningKeysRotated
from portico.messaging import on


def audit_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="audit",
        subscribers=[on(SigningKeysRotated, record_key_rotation)],
        personal_data=AUDIT_PERSONAL_DATA,
    )
