"""Signing keys for tests: RSA takes most of a second to make, so a process makes each once and hands it out again."""

from collections import Counter

from portico.keys.jose import JoseKey, generate_key
from portico.keys.types import SigningAlgorithm

_POOL: dict[tuple[SigningAlgorithm, int], JoseKey] = {}


class PooledKeys:
    """Makes keys for one runtime: never the same twice in it, the same as in other runtimes of the process."""

    def __init__(self) -> None:
        self._made: Counter[SigningAlgorithm] = Counter()

    def make(self, algorithm: SigningAlgorithm) -> JoseKey:
        """Return the next RSA key of the pool; others are made afresh, which costs nothing."""
        if algorithm is SigningAlgorithm.ES256:
            return generate_key(algorithm)
        place = (algorithm, self._made[algorithm])
        self._made[algorithm] += 1
        if place not in _POOL:
            _POOL[place] = generate_key(algorithm)
        return _POOL[place]
