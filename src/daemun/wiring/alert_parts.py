"""Collects what alerts are judged from."""

from daemun.alerts import gate_facts, notifier
from daemun.banning import ban_registry
from daemun.certs import certificate_manager
from daemun.control import fleet_port, reconciler
from daemun.core.options import alerts_option
from daemun.probing import site_prober, stream_prober
from daemun.wiring import disk_watch


def find_input(
    last: reconciler.Outcome | None,
    certificates: certificate_manager.Manager,
    probers: tuple[site_prober.SiteProber, stream_prober.StreamProber],
    *,
    disk: disk_watch.DiskWatch,
    facts: gate_facts.GateFacts,
    bans: ban_registry.BanRegistry,
    nodes: fleet_port.FleetView | None,
    alerts: notifier.Notifier,
) -> notifier.AlertInput | None:
    """last: of the rounds; None: there was none, and nothing is judged. nodes: None: there is no fleet. alerts: who
    sends them."""
    if last is None:
        return None
    statuses = certificates.status()
    of_sites = probers[0].find_troubles(last.sites, statuses)
    troubles = probers[1].with_troubles(of_sites, last.streams, statuses)
    return notifier.AlertInput(
        alerts=alerts_option.OPTION.of(last.desired.globals),
        certificates=statuses,
        troubles=troubles,
        refused_folders=disk.refused,
        concerns=facts.find_concerns(
            last,
            bans.list,
            troubles or (),
            fleet=None if nodes is None else nodes.status(),
            open_alerts=alerts.list_open(),
        ),
    )
