"""The root secret of a deployment: given by a setting, or made once in the data directory in development."""

import os
from pathlib import Path

from portico.core.crypto import RootSecret
from portico.core.entropy import Entropy, random_token
from portico.core.settings import Settings

FILE_NAME = "secret.key"


class SecretMissing(RuntimeError):
    """No root secret is set where one is required."""


def load_root_secret(settings: Settings, entropy: Entropy) -> RootSecret:
    """Return the root secret, with those that are accepted besides.

    Raises:
        SecretMissing: production or staging without `PORTICO_SECRET_KEY`.
        ValueError: a secret is shorter than 32 bytes.
    """
    accepted = [key.get_secret_value().encode() for key in settings.accepted_secret_keys]
    if settings.secret_key is not None:
        return RootSecret(settings.secret_key.get_secret_value().encode(), accepted)
    if not settings.is_development:
        raise SecretMissing("PORTICO_SECRET_KEY is required: give at least 32 random characters")
    return RootSecret(_kept_secret(settings.data_dir / FILE_NAME, entropy).encode(), accepted)


def _kept_secret(path: Path, entropy: Entropy) -> str:
    """Return the secret in `path`; of several processes that start at once, one makes it and all read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f".{FILE_NAME}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(random_token(entropy, 48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
