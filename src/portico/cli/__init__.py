"""The command line: `portico serve | migrate | settings | doctor | create-admin | seed | …`.

Commands of one feature live in the feature's `commands.py`; here is what concerns the whole deployment.
"""

from portico.cli.application import main

__all__ = ["main"]
