"""What can go wrong with a server of the test kit."""


class ServiceError(RuntimeError):
    """A server could not be found, started or stopped; the message says which, with the end of its log."""
