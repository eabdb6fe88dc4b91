"""The clients of `access: {client_certificates: local}`, with or without a running daemon: it notices that the files
changed, as it does with every file that its configuration names."""

import datetime
import pathlib

from daemun import settings as settings_
from daemun.certs.served import client_ca, client_links
from daemun.core import model
from daemun.core.access import access_levels, login_url
from daemun.core.render import client_link_location
from daemun.core.texts import names, words
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.store import file_store
from daemun.wiring import clock
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


def find_page(settings: settings_.Settings, host: str | None) -> str:
    """The address behind which links are, without the secret. host: None: of the first site that has one. Raises:
    ConfigError."""
    desired = configuration.read(settings)
    found = {name: site for site in desired.enabled if _asks_own(site, desired.globals) for name in site.names}
    found = {name: site for name, site in found.items() if names.is_host_name(name)}
    source = configuration.name_source(settings)
    if not found:
        raise ConfigError(
            f"cannot make a link: no site of {source} has `access: {{client_certificates: local}}`, where it would "
            "lead to; write that first, or leave out --link for a file"
        )
    chosen = next(iter(found)) if host is None else host.lower().rstrip(".")
    if chosen not in found:
        raise ConfigError(
            f"cannot make a link on {words.quoted(chosen)}: it is no site of {source} with `access: "
            f"{{client_certificates: local}}`; there are: {', '.join(found)}"
        )
    port = found[chosen].https_port or login_url.find_port(desired.globals)
    return f"https://{chosen}{login_url.write_port(port)}{client_link_location.PATH}"


def offer(settings: settings_.Settings, issued: client_ca.IssuedClient, *, lifetime_s: float) -> tuple[str, str]:
    """The secret of a link, and when it ends. A client without one is withdrawn again. Raises:
    EnvironmentProblemError."""
    try:
        secret, ends_at = _links(settings).offer(issued, lifetime_s=lifetime_s)
    except BaseException:
        _open(settings).revoke(issued.client.name, _now())
        raise
    return secret, ends_at.strftime("%Y-%m-%d %H:%M:%SZ")


def revoke(settings: settings_.Settings, name: str) -> tuple[client_ca.Client, ...]:
    """Raises: ConfigError; EnvironmentProblemError."""
    revoked = _open(settings).revoke(name, _now())
    _links(settings).withdraw(name)
    return revoked


def is_over(one: client_ca.Client) -> bool:
    return one.expires_at <= _now()


def _asks_own(site: model.Site, globals_: model.Globals) -> bool:
    every = (
        access_levels.of_site(site, globals_),
        *(access_levels.of_route(one, site, globals_) for one in site.routes),
    )
    asked = (held.access.client_certificates for held in every)
    return any(one is not None and one.ca.path is None for one in asked)


def _links(settings: settings_.Settings) -> client_links.ClientLinks:
    return client_links.ClientLinks(file_store.FileStore(pathlib.Path(settings.layout.store)), clock.SystemClock())


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
