"""What the command line refuses by itself; one line is shown, and the exit status is 1."""


class CommandRefused(Exception):
    """The command cannot do what was asked; the message says why, and what to do instead."""
