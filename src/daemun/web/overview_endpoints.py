"""The first screen in the API: what needs a person, all sites at a glance, and the rows of sites and streams."""

import asyncio
import collections.abc
import typing

from starlette import background, datastructures, exceptions, requests, responses, routing

from daemun.control import history_port
from daemun.core.access import dashboard_roles
from daemun.core.dashboard import row_choice, site_row
from daemun.core.texts import words
from daemun.web import endpoint, json_values, overview_json, overview_snapshots, paging

MOST_NEEDS = 50
_ORIGIN = "a source (`file`, `docker`), or what the origin begins with (`sites/shop.yaml`)"

PARAMETERS = (
    endpoint.Parameter(name="q", meaning="parts of names, targets or origins, apart by spaces; all must be there"),
    endpoint.Parameter(name="state", meaning=f"any of these, apart by commas: {', '.join(row_choice.STATES)}"),
    endpoint.Parameter(name="origin", meaning=_ORIGIN),
    endpoint.Parameter(name="kind", meaning="`site` or `stream`"),
    endpoint.Parameter(name="group", meaning="`domain`: rows of one registered domain stand together"),
    endpoint.Parameter(name="sort", meaning=", ".join(one.value for one in row_choice.Sort)),
    endpoint.Parameter(name="order", meaning="`asc` or `desc`"),
    endpoint.Parameter(name="only", meaning="`names`: of all sites, without pages: name and source alone"),
    *paging.QUERY,
)


def endpoints(snapshots: overview_snapshots.OverviewSnapshots) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(snapshots)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/overview",
            needs=dashboard_roles.Role.LOOK,
            summary="Show what needs a person, and all sites in numbers",
            handler=handlers.overview,
            answer="`needs` (the worst first), `totals`, `renewals`, `changes`, idle `containers`, `machine`.",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites",
            needs=dashboard_roles.Role.LOOK,
            summary="List sites and streams with their lamps and numbers",
            handler=handlers.sites,
            query=PARAMETERS,
            answer="A page of rows; `total` is of all pages, `of_files` its sites of files, `of` without any filter.",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/apply",
            needs=dashboard_roles.Role.CHANGE,
            summary="Read every source again, and apply what they want",
            handler=handlers.apply,
            answer="As POST /apply of the control socket; 202 when it waits, 422 when something was refused.",
        ),
    )


def control_routes(snapshots: overview_snapshots.OverviewSnapshots) -> list[routing.BaseRoute]:
    """The same on the control socket, for `daemun sites`."""
    handlers = _Handlers(snapshots)
    return [
        routing.Route("/overview", handlers.answer_overview, methods=["GET"]),
        routing.Route("/overview/sites", handlers.answer_sites, methods=["GET"]),
    ]


class _Handlers:
    """One method per endpoint."""

    def __init__(self, snapshots: overview_snapshots.OverviewSnapshots) -> None:
        self._snapshots = snapshots

    async def overview(self, call: endpoint.Call) -> responses.Response:
        return await self.answer_overview(call.request)

    async def sites(self, call: endpoint.Call) -> responses.Response:
        return await self.answer_sites(call.request)

    async def apply(self, call: endpoint.Call) -> responses.Response:
        caller = history_port.Caller(command="dashboard: apply", user=call.operator.name)
        report = await self._snapshots.apply(caller)
        call.target = "all sources"
        call.after = f"generation {report.generation}"
        status = 200 if report.ok else 202 if report.waits is not None else 422
        return responses.JSONResponse(json_values.apply_json(report), status_code=status)

    async def answer_overview(self, _: requests.Request) -> responses.Response:
        snapshot = await self._snapshots.current()
        return self._answer(overview_json.overview_json(snapshot, most_needs=MOST_NEEDS))

    async def answer_sites(self, request: requests.Request) -> responses.Response:
        choice = read_choice(request.query_params)
        _check("only", request.query_params.get("only", ""), ("", "names"))
        snapshot = await self._snapshots.current()
        if request.query_params.get("only"):
            return self._answer(await asyncio.to_thread(list_names, snapshot, choice))
        return self._answer(await asyncio.to_thread(self._list, choice, snapshot))

    def _list(
        self, choice: row_choice.RowChoice, snapshot: overview_snapshots.OverviewSnapshot
    ) -> dict[str, typing.Any]:
        facts = self._snapshots.facts
        chosen = row_choice.choose(snapshot.rows, choice, facts.find_domain)
        shown = [site_row.traffic_name(one.name) for one in chosen.rows if one.kind is site_row.RowKind.SITE]
        minutes: collections.abc.Mapping[str, tuple[int, ...]] = {}
        if snapshot.traffic is not None and shown:
            minutes = facts.count_minutes(shown, snapshot.as_of)
        return overview_json.rows_json(chosen, choice, snapshot, minutes)

    def _answer(self, found: dict[str, typing.Any]) -> responses.Response:
        return responses.JSONResponse(found, background=background.BackgroundTask(self._snapshots.refresh))


def list_names(snapshot: overview_snapshots.OverviewSnapshot, choice: row_choice.RowChoice) -> dict[str, typing.Any]:
    """Of all sites that are chosen, on any page."""
    found = [one for one in row_choice.choose_all(snapshot.rows, choice) if one.kind is site_row.RowKind.SITE]
    return {"total": len(found), "rows": [{"name": one.name, "source": one.origin.source} for one in found]}


def read_choice(query: datastructures.QueryParams) -> row_choice.RowChoice:
    """Raises: HTTPException 400, with what is expected."""
    states = tuple(one.strip() for one in query.get("state", "").split(",") if one.strip())
    for one in states:
        _check("state", one, row_choice.STATES)
    kind, group, order = query.get("kind", ""), query.get("group", ""), query.get("order", "")
    sort = query.get("sort") or row_choice.Sort.WORST.value
    _check("kind", kind, ("", *(one.value for one in site_row.RowKind)))
    _check("group", group, ("", "domain"))
    _check("order", order, ("", "asc", "desc"))
    _check("sort", sort, tuple(one.value for one in row_choice.Sort))
    text, page = query.get("q", ""), paging.read_of(query)
    if len(text) > row_choice.LONGEST_QUERY:
        raise exceptions.HTTPException(400, f"cannot search: q is longer than {row_choice.LONGEST_QUERY} signs")
    return row_choice.RowChoice(
        query=text,
        states=states,
        origin=query.get("origin", "")[: row_choice.LONGEST_QUERY],
        kind=site_row.RowKind(kind) if kind else None,
        by_domain=group == "domain",
        sort=row_choice.Sort(sort),
        descending=order == "desc",
        page=page.number,
        size=page.size,
    )


def _check(name: str, value: str, allowed: collections.abc.Collection[str]) -> None:
    if value not in allowed:
        expected = ", ".join(one for one in allowed if one)
        raise exceptions.HTTPException(
            400, f"cannot list sites: {name} must be one of {expected}, found {words.quoted(value[:40])}"
        )
