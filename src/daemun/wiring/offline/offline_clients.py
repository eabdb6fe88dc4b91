"""The clients of `access: {client_certificates: local}`, with or without a running daemon: it notices that the files
changed, as it does with every file that its configuration names."""

import datetime

from daemun import settings
from daemun.certs.served import client_ca, client_links
from daemun.core import model
from daemun.core.access import access_levels, login_url
from daemun.core.options import alias_options, maintenance_option
from daemun.core.render import client_link_location
from daemun.core.texts import names, words
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.wiring import clock, opened_fleet
from daemun.wiring.offline import configuration


def list_clients(chosen: settings.Settings) -> tuple[client_ca.ClientCertificate, ...]:
    """Raises: EnvironmentProblemError."""
    store = configuration.find_store(chosen)
    return () if store is None else client_ca.ClientCa(store, chosen.layout).list_clients()


def add(chosen: settings.Settings, name: str, *, days: int) -> client_ca.IssuedClient:
    """Raises: ConfigError; EnvironmentProblemError."""
    client_ca.check_name(name)
    return _open(chosen).add(name, days=days, now=_now())


def find_page(chosen: settings.Settings, host: str | None) -> str:
    """The address behind which links are, without the secret. host: None: of the first site that has one and is open.
    Raises: ConfigError."""
    desired = configuration.read(chosen)
    having = [site for site in desired.enabled if access_levels.wants_own_certificates(site, desired.globals)]
    found = {name: site for site in having for name in _served(site) if names.is_host_name(name)}
    source = configuration.name_source(chosen)
    if not found:
        raise ConfigError(
            f"cannot make a link: no site of {source} has `access: {{client_certificates: local}}`, where it would "
            "lead to; write that first, or leave out --link for a file"
        )
    now = _now()
    opened = [name for name, site in found.items() if not maintenance_option.OPTION.of(site).is_closed(now)]
    named = next(iter((*opened, *found))) if host is None else host.lower().rstrip(".")
    if named not in found:
        moved = next((f"an alias that leads to {site.host}" for site in having if named in site.names), None)
        no_site = f"no site of {source} with `access: {{client_certificates: local}}`"
        raise ConfigError(
            f"cannot make a link on {words.quoted(named)}: it is {moved or no_site}; there are: {', '.join(found)}"
        )
    if named not in opened:
        others = f", or --host {opened[0]}" if opened else ""
        raise ConfigError(
            f"cannot make a link on {words.quoted(named)}: the site is closed (`maintenance`), and so is the page that "
            f"it would lead to; open it first (`daemun maintenance {found[named].host} off`){others}, or leave out "
            "--link for a file"
        )
    port = found[named].https_port or login_url.find_port(desired.globals)
    return f"https://{named}{login_url.write_port(port)}{client_link_location.PATH}"


def _served(site: model.Site) -> tuple[str, ...]:
    """The names under which a site answers itself: what leads elsewhere would write the secret to logs."""
    return (site.host,) if alias_options.REDIRECT.of(site) else site.names


def offer(
    chosen: settings.Settings, issued: client_ca.IssuedClient, *, lifetime_s: float
) -> tuple[str, datetime.datetime]:
    """The secret of a link, and when it ends. A client without one is withdrawn again. Raises:
    EnvironmentProblemError."""
    try:
        secret, ends_at = _links(chosen).offer(issued, lifetime_s=lifetime_s)
    except BaseException:
        _open(chosen).revoke(issued.client.name, _now())
        raise
    return secret, ends_at


def revoke(chosen: settings.Settings, name: str) -> tuple[client_ca.ClientCertificate, ...]:
    """Raises: ConfigError; EnvironmentProblemError."""
    revoked = _open(chosen).revoke(name, _now())
    _links(chosen).withdraw(name)
    return revoked


def is_over(one: client_ca.ClientCertificate) -> bool:
    return one.expires_at <= _now()


def _links(chosen: settings.Settings) -> client_links.ClientLinks:
    return client_links.ClientLinks(opened_fleet.open_store(chosen), clock.SystemClock())


def _open(chosen: settings.Settings) -> client_ca.ClientCa:
    try:
        return client_ca.ClientCa(opened_fleet.open_store(chosen), chosen.layout)
    except PermissionError as error:
        raise EnvironmentProblemError(
            f"cannot open {chosen.layout.store}: permission denied; run this as the account that daemun runs as, "
            "which is root as a rule"
        ) from error


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
