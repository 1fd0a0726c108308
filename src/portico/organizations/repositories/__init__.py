"""Every SQL statement of organizations."""
