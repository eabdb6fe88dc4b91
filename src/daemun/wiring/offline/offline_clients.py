"""The clients of `access: {client_certificates: local}`, with or without a running daemon: it notices that the files
changed, as it does with every file that its configuration names."""

import datetime
import pathlib

from daemun import settings as settings_
from daemun.certs.served import client_ca
from daemun.errors import EnvironmentProblemError
from daemun.store import file_store
from daemun.wiring.offline import configuration

DAYS = 730


def list_clients(settings: settings_.Settings) -> tuple[client_ca.Client, ...]:
    """Raises: EnvironmentProblemError."""
    store = configuration.find_store(settings)
    return () if store is None else client_ca.ClientCa(store, settings.layout).list_clients()


def add(settings: settings_.Settings, name: str, *, days: int) -> client_ca.IssuedClient:
    """Raises: ConfigError; EnvironmentProblemError."""
    client_ca.check_name(name)
    return _open(settings).add(name, days=days, now=_now())


def revoke(settings: settings_.Settings, name: str) -> tuple[client_ca.Client, ...]:
    """Raises: ConfigError; EnvironmentProblemError."""
    return _open(settings).revoke(name, _now())


def is_over(one: client_ca.Client) -> bool:
    return one.expires_at <= _now()


def _open(settings: settings_.Settings) -> client_ca.ClientCa:
    try:
        return client_ca.ClientCa(file_store.FileStore(pathlib.Path(settings.layout.store)), settings.layout)
    except PermissionError as error:
        raise EnvironmentProblemError(
            f"cannot open {settings.layout.store}: permission denied; run this as the account that daemun runs as, "
            "which is root as a rule"
        ) from error


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
