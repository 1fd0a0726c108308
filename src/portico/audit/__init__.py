"""The trail of security-relevant acts. Higher features call `audit.record` in the transaction of the act."""
