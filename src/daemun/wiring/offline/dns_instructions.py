"""What is to be done in DNS."""

import typing

from daemun import settings as settings_
from daemun.core import model, names, validate_acme
from daemun.sources import yaml_file
from daemun.wiring import clock
from daemun.wiring.offline import earlier

if typing.TYPE_CHECKING:
    from daemun.certs.dns01 import dns_advice


def advise(settings: settings_.Settings, host: str) -> "tuple[dns_advice.DnsAdvice, ...]":
    """What is to be done in DNS for the certificate of a site, or of a host that is none yet. Raises: DaemunError."""
    from daemun.certs.dns01 import dns_advice  # noqa: PLC0415 - for this command alone: aiohttp is slow to import

    snapshot = yaml_file.read_snapshot(settings.config)
    acme = snapshot.globals.acme if snapshot.globals is not None else model.Acme()
    site = next((site for site in snapshot.sites if host in site.names), None)
    ordering = validate_acme.fill(site.tls.ordering if site is not None else model.Ordering(), acme)
    hosts = site.names if site is not None else (host,)
    adviser = dns_advice.Adviser(acme, earlier.find_store(settings), clock.SystemClock())
    return adviser.advise([name for name in hosts if not names.is_pattern(name)], ordering)
