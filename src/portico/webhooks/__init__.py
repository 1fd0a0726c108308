"""Endpoints of others that hear our events: signing, retries, the log of deliveries, replay."""
