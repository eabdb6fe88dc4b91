"""All that the API of a site's page consists of, put together. Imported at the first request."""

import collections.abc

from daemun import settings
from daemun.control import gate_port, reconciler
from daemun.web import endpoint, site_endpoints, site_file_endpoints, site_log_endpoints, why_endpoints
from daemun.wiring import site_files, site_log, site_records, site_stories


def endpoints(
    gate: gate_port.GatePort,
    chosen: settings.Settings,
    find_last: collections.abc.Callable[[], reconciler.Outcome | None],
) -> tuple[endpoint.ApiEndpoint, ...]:
    """chosen: with the file that the daemon reads. find_last: the last round of the gate."""
    return (
        *site_endpoints.endpoints(gate, site_records.SiteRecordReader(chosen.layout, find_last)),
        *site_log_endpoints.endpoints(gate, site_log.SiteLogReader(chosen.layout)),
        *site_file_endpoints.endpoints(gate, site_files.SiteFileReader(chosen)),
        *why_endpoints.endpoints(gate, site_stories.SiteStories(chosen)),
    )
