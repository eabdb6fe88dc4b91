"""What keeps the uptime of sites, with what it looks at, and the public status page."""

import collections.abc

from daemun.certs import certificate_manager
from daemun.control import damage_report, gate
from daemun.core import layout, model
from daemun.core.options import status_page_option
from daemun.core.uptime import site_condition, uptime_sums
from daemun.probing import site_prober
from daemun.traffic import traffic_counter
from daemun.uptime import status_page_writer, uptime_recorder
from daemun.wiring import clock

LOOK_S, LEAST_LOOK_S = 12.0, 2.0
"""So long a look takes at most, but for servers that trickle: before that a site may be thought to be up. Where nothing
is under way all looks are over sooner, handshakes, too."""


class Sites:
    """Implements `uptime_recorder.LookAtSites`."""

    def __init__(
        self,
        find_gate: collections.abc.Callable[[], gate.Gate],
        looks: site_prober.SiteProber,
        certificates: certificate_manager.Manager,
    ) -> None:
        self._find_gate = find_gate
        self._looks = looks
        self._certificates = certificates

    def find_sites(self) -> tuple[model.SiteStatus, ...] | None:
        last, since_s = self._find_gate().last, self._looks.looks_since_s()
        is_over = since_s >= LOOK_S or (since_s >= LEAST_LOOK_S and not self._looks.is_trying)
        return last.sites if last is not None and is_over else None

    def find_troubles(self) -> tuple[model.SiteStatus, ...]:
        last = self._find_gate().last
        if last is None:
            return ()
        certificates = self._certificates.status(added=False)
        bad = site_condition.find_visible(certificates, clock.SystemClock().now())
        return self._looks.site_judge.find_unserved(last.sites, bad)

    def find_page(self, *, is_watched: bool) -> status_page_writer.StatusInput | None:
        """What the status page is made of; None: nothing is known yet."""
        last = self._find_gate().last
        if last is None:
            return None
        page = status_page_option.OPTION.of(last.desired.globals)
        return status_page_writer.StatusInput(page=page, statuses=last.sites, is_watched=is_watched)

    def find_unseen(self) -> frozenset[str]:
        return self._looks.find_unseen()

    def look(self, host: str) -> model.SiteLook | None:
        return self._looks.look(host)


def read(
    paths: layout.Layout, days: int, sites: collections.abc.Collection[str] | None, most_incidents: int
) -> uptime_sums.Uptime:
    """For `web.uptime_endpoints`. Blocking."""
    from daemun.uptime import uptime_reader  # noqa: PLC0415 - SQLite

    today = clock.SystemClock().now().astimezone().date()
    return uptime_reader.read(paths, today, days, sites=sites, most_incidents=most_incidents)


def make(
    paths: layout.Layout, damage: damage_report.DamageReport, sites: Sites, traffic: traffic_counter.TrafficCounter
) -> tuple[uptime_recorder.UptimeRecorder, status_page_writer.StatusPageWriter]:
    def look() -> status_page_writer.StatusInput | None:
        return sites.find_page(is_watched=recorder.is_watching)

    writer = status_page_writer.StatusPageWriter(paths, clock.SystemClock(), look)
    recorder = uptime_recorder.UptimeRecorder(
        paths, clock.SystemClock(), damage, sites, count_errors=traffic.count_errors, changed=writer.wake
    )
    return recorder, writer
