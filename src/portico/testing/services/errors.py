"""What can go wrong with a server of the test kit."""


class ServiceError(RuntimeError):
    """A server could not be found, started or stopped; the message says which, with the end of its log."""


class ServiceMissing(ServiceError):
    """The server cannot be had on this machine: a reason to skip, and to say so."""
