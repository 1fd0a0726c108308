"""Shapes of the API over clients, resources, initial access tokens and connections, by subject."""
