"""Builds the probers of sites and streams."""

import collections.abc

from daemun.certs import certificate_manager
from daemun.core import layout, model
from daemun.discovery import endpoints
from daemun.nginx import machine_limits
from daemun.probing import probe_inputs, server_tries, site_prober, stream_prober
from daemun.wiring import clock


def make(
    paths: layout.Layout,
    account: model.WorkerAccount | None,
    discovery: endpoints.Discovery,
    certificates: certificate_manager.Manager,
    changed: collections.abc.Callable[[], None],
) -> tuple[site_prober.SiteProber, stream_prober.StreamProber]:
    """account: of nginx's workers; None: daemun's own. changed: as of `probe_inputs.ProbeInputs`."""
    machine = server_tries.ProbeMachine(
        in_container=machine_limits.is_container(),
        worker=account,
    )

    def find_certificates() -> tuple[model.CertificateStatus, ...]:
        return certificates.status(added=False)

    inputs = probe_inputs.ProbeInputs(
        clock=clock.SystemClock(),
        find_endpoints=discovery.endpoints,
        find_certificates=find_certificates,
        error_log_path=f"{paths.logs}/error.log",
        ca_bundle=machine_limits.find_ca_bundle(),
        machine=machine,
        has_ipv6=machine_limits.has_ipv6_loopback(),
        changed=changed,
    )
    of_sites = site_prober.SiteProber(inputs, find_health=discovery.find_health)
    return of_sites, stream_prober.StreamProber(inputs)
