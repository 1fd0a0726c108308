"""A small application with the pages' ground and nothing else; the pages themselves are tested on the whole one."""

from pathlib import Path

from fastapi import FastAPI

from portico.core.crypto import RootSecret
from portico.core.settings import Environment, Settings
from portico.db.database import Database
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.web.application import install_web


def make_ground(data_dir: Path, **settings: object) -> FastAPI:
    """Return the application; `settings` are laid over those of a test."""
    given: dict[str, object] = {"environment": Environment.TEST, "data_dir": data_dir, **settings}
    complete = Settings(**given)
    app = FastAPI()
    app.state.runtime = Runtime(
        settings=complete,
        secret=RootSecret(b"k" * 32),
        database=Database.from_settings(complete),
        clock=FrozenClock(),
    )
    install_web(app, app.state.runtime, templates={})
    return app
