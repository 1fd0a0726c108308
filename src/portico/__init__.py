"""Portico: the backend that a Python product starts from.

`portico.app.create_app` is the server as a library, `portico serve` the library as a server.
"""
