"""Makes ids and secrets in processes that were forked from one: `python -m tests.faults.prefork <workers> <each>`.

The parent has drawn from every generator before, so that a state which is inherited would show. What the workers make
is printed, one a line.
"""

import os
import sys
from collections.abc import Callable
from itertools import chain

from portico.core.entropy import SystemEntropy, random_token
from portico.core.ids import new_id, new_request_id
from portico.tokens.secret_format import new_secret

ENTROPY = SystemEntropy()
KINDS: tuple[Callable[[], str], ...] = (
    lambda: str(new_id()),
    new_request_id,
    lambda: random_token(ENTROPY, 16),
    lambda: str(new_secret(ENTROPY)),
)


def made(each: int) -> str:
    """Return so many of each kind."""
    return "\n".join(chain.from_iterable([make() for _ in range(each)] for make in KINDS)) + "\n"


def main(workers: int, each: int) -> None:
    """Fork the workers, one after the other, and wait for them."""
    os.write(1, made(10).encode())
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            with os.fdopen(1, "w", closefd=False) as out:
                out.write(made(each))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
