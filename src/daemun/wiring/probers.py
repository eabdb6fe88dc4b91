"""What looks at sites and streams as visitors do."""

import collections.abc

from daemun.certs import certificate_manager
from daemun.core import layout, model
from daemun.discovery import endpoints
from daemun.nginx import machine_limits
from daemun.probing import server_tries, site_prober, stream_prober
from daemun.wiring import clock


def make(
    paths: layout.Layout,
    account: model.WorkerAccount | None,
    discovery: endpoints.Discovery,
    certificates: certificate_manager.Manager,
    changed: collections.abc.Callable[[], None],
) -> tuple[site_prober.SiteProber, stream_prober.StreamProber]:
    """account: of nginx's workers; None: daemun's own. changed: as of `site_prober.SiteProber`."""
    machine = server_tries.ProbeMachine(
        in_container=machine_limits.is_container(),
        worker=account,
    )
    ca_bundle, has_ipv6 = machine_limits.find_ca_bundle(), machine_limits.has_ipv6_loopback()

    def find_certificates() -> tuple[model.CertificateStatus, ...]:
        return certificates.status(added=False)

    of_sites = site_prober.SiteProber(
        clock.SystemClock(),
        find_endpoints=discovery.endpoints,
        find_health=discovery.find_health,
        find_certificates=find_certificates,
        error_log_path=f"{paths.logs}/error.log",
        ca_bundle=ca_bundle,
        machine=machine,
        has_ipv6=has_ipv6,
        changed=changed,
    )
    of_streams = stream_prober.StreamProber(
        clock.SystemClock(),
        find_endpoints=discovery.endpoints,
        find_certificates=find_certificates,
        error_log_path=f"{paths.logs}/error.log",
        ca_bundle=ca_bundle,
        machine=machine,
        has_ipv6=has_ipv6,
        changed=changed,
    )
    return of_sites, of_streams
