"""What an earlier `daemun up` left."""

import pathlib

from daemun import settings as settings_
from daemun.control import ports
from daemun.errors import EnvironmentProblemError
from daemun.nginx import process
from daemun.store import file_store


def find_store(settings: settings_.Settings) -> ports.Store | None:
    """The store of an earlier `up`; looking at a configuration makes none."""
    root = pathlib.Path(settings.layout.store)
    try:
        return file_store.FileStore(root) if root.is_dir() else None
    except (EnvironmentProblemError, PermissionError):
        return None


def find_running_nginx(settings: settings_.Settings) -> int | None:
    """The process of the nginx that serves from the state directory, perhaps without a daemon; None: there is none."""
    master = process.find_master(settings.layout)
    return master.pid if master is not None else None
