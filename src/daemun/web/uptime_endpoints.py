"""The API's endpoints for uptime: all sites, one site, and what happened. The same as `daemun uptime`."""

import asyncio
import collections.abc
import typing

from starlette import exceptions

from daemun.core.access import dashboard_roles
from daemun.core.texts import words
from daemun.core.uptime import status_report, uptime_sums
from daemun.web import endpoint, json_values, paging, uptime_json

Json = dict[str, typing.Any]
MOST_DAYS = 90
MOST_INCIDENTS = 1000
_DAYS = endpoint.Parameter(name="days", meaning=f"of so many days, {MOST_DAYS} at most", kind="integer")

ReadUptime = collections.abc.Callable[[int, collections.abc.Collection[str] | None, int], uptime_sums.Uptime]
"""Of so many days, of these sites or all, with so many incidents. Blocking. Raises: EnvironmentProblemError."""


def endpoints(
    read: ReadUptime, find_page: collections.abc.Callable[[], status_report.PageState]
) -> tuple[endpoint.ApiEndpoint, ...]:
    """find_page: blocking."""
    handlers = _Handlers(read, find_page)
    look = dashboard_roles.Role.LOOK
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/uptime",
            needs=look,
            summary="List how long each site was up, the worst first",
            handler=handlers.list,
            query=(*paging.QUERY, _DAYS, endpoint.Parameter(name="q", meaning="a part of the site's host")),
            answer="site, state, uptime_percent, seconds, bars (a letter for each day: | up, ! disturbed, X down, "
            "m maintenance, . not watched); seen_at: when sites were watched last",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/uptime/{host}",
            needs=look,
            summary="Show the days of a site, and what happened to it",
            handler=handlers.site,
            query=(_DAYS,),
            answer="as a row of the list, with `days` and `incidents`",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/incidents",
            needs=look,
            summary="List outages, disturbances and maintenance of all sites, the newest first",
            handler=handlers.incidents,
            query=(*paging.QUERY, _DAYS),
            answer=f"site, state, from, to (null: it goes on), cause; the last {MOST_INCIDENTS} at most",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/status-page",
            needs=look,
            summary="Show what the public status page has, and when it was made",
            handler=handlers.page,
            answer="page: host, title, notice, days, language, groups (null: there is none); made_at, failure",
        ),
    )


class _Handlers:
    """One method per endpoint."""

    def __init__(self, read: ReadUptime, find_page: collections.abc.Callable[[], status_report.PageState]) -> None:
        self._read = read
        self._find_page = find_page

    async def list(self, call: endpoint.Call) -> Json:
        page, days, wanted = paging.read(call), _read_days(call), call.query("q").strip().lower()

        def find() -> Json:
            found = self._read(days, None, 0)
            chosen = [one for one in uptime_sums.worst_first(found.sites) if wanted in one[0].site]
            rows = [uptime_json.site_json(*one) for one in chosen[page.first : page.first + page.size]]
            return {
                **page.of(rows, total=len(chosen)),
                "days": days,
                "seen_at": json_values.instant_json(found.seen_at),
            }

        return await asyncio.to_thread(find)

    async def site(self, call: endpoint.Call) -> Json:
        days, host = _read_days(call), call.path("host")
        found = await asyncio.to_thread(self._read, days, (host[:300],), MOST_INCIDENTS)
        if not found.sites:
            raise exceptions.HTTPException(404, f"no site {words.quoted(host)} was watched")
        return {**uptime_json.details_json(found.sites[0]), "seen_at": json_values.instant_json(found.seen_at)}

    async def incidents(self, call: endpoint.Call) -> Json:
        page, days = paging.read(call), _read_days(call)
        found = await asyncio.to_thread(self._read, days, None, MOST_INCIDENTS)
        every = [one for site in found.sites for one in site.incidents]
        every.sort(key=lambda one: -one.number)
        return page.of(uptime_json.incidents_json(every[page.first : page.first + page.size]), total=len(every))

    async def page(self, _: endpoint.Call) -> Json:
        found = await asyncio.to_thread(self._find_page)
        return {
            "page": None if found.page is None else uptime_json.page_json(found.page),
            "made_at": json_values.instant_json(found.made_at),
            "failure": found.failure,
        }


def _read_days(call: endpoint.Call) -> int:
    return paging.read_number(call.request.query_params, "days", MOST_DAYS, most=MOST_DAYS)
