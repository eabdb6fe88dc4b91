"""All that the API of a site's page consists of, put together. Imported at the first request."""

import collections.abc
import typing

from daemun import settings
from daemun.control import gate_port, reconciler, site_port
from daemun.web import endpoint, site_endpoints, site_file_endpoints, site_log_endpoints, why_endpoints
from daemun.wiring import site_files, site_log, site_records

Json = dict[str, typing.Any]


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
        *why_endpoints.endpoints(gate, _Stories(chosen)),
    )


class _Stories:
    """Implements `control.site_port.StoryMaker`. What knows why something is so takes 2 MB, and is imported at the
    first question."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._settings = chosen

    def make_story(self, subject: str, known: site_port.GateReport, *, is_owner: bool) -> Json:
        from daemun.wiring import site_stories  # noqa: PLC0415 - as above

        return site_stories.SiteStories(self._settings).make_story(subject, known, is_owner=is_owner)
