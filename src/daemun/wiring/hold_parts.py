"""Builds the queue of held requests."""

from daemun.core import render_environment
from daemun.discovery import endpoints
from daemun.hold import hold_limits, hold_queue
from daemun.nginx import machine_limits
from daemun.probing import site_prober


def make(discovery: endpoints.Discovery, looks: site_prober.SiteProber) -> hold_queue.HoldQueue:
    most, most_per_site = hold_limits.limits_of(render_environment.count_connections(machine_limits.count_open_files()))
    return hold_queue.HoldQueue(
        discovery.endpoints,
        hold_limits.HoldLimits(most=most, most_per_site=most_per_site),
        is_out_of_reach=discovery.is_out_of_reach,
        find_fault=looks.find_fault,
    )
