"""The API of a site's log: the last lines, and those that come, as server-sent events."""

import asyncio
import datetime
import typing

from starlette import exceptions

from daemun.control import gate_port, site_port
from daemun.core.access import dashboard_roles
from daemun.core.logged import log_query
from daemun.errors import DaemunError
from daemun.web import endpoint, event_stream, json_values, site_endpoints

MOST_ROWS = 200
POLL_S = 0.5
BEAT_S = 5.0
"""A sign of life as often, and a look whether the reader still may look."""

Json = dict[str, typing.Any]
_LOOK = dashboard_roles.Role.LOOK
_QUERY = tuple(endpoint.Parameter(name=name, meaning=meaning) for name, meaning in log_query.MEANINGS.items())


def endpoints(
    gate: gate_port.GatePort, site_log: site_port.SiteLog, *, poll_s: float = POLL_S, beat_s: float = BEAT_S
) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(gate, site_log, poll_s, beat_s)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/log",
            needs=_LOOK,
            summary="Show the last lines of a site's log",
            handler=handlers.last,
            query=_QUERY,
            answer=f"`rows`: {MOST_ROWS} at most, the oldest first; `whole`: whether all were looked at in time.",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/sites/{host}/log/live",
            needs=_LOOK,
            summary="Follow a site's log",
            handler=handlers.live,
            query=_QUERY,
            answer="Events: `row`; `skipped` with how many lines came too fast; `beat`; `end` with why.",
            streams=True,
        ),
    )


class _Handlers:
    def __init__(self, gate: gate_port.GatePort, site_log: site_port.SiteLog, poll_s: float, beat_s: float) -> None:
        self._gate = gate
        self._log = site_log
        self._streams = event_stream.OpenStreams()
        self._poll_s = poll_s
        self._beat_s = beat_s

    async def last(self, call: endpoint.Call) -> Json:
        query = self._find_query(call)
        found = await asyncio.to_thread(
            self._log.read_last, query, MOST_ROWS, shows_secrets=_shows_secrets(call.operator)
        )
        return {
            "rows": list(found.rows),
            "whole": found.is_whole,
            "as_of": json_values.instant_json(datetime.datetime.now(datetime.UTC)),
        }

    async def live(self, call: endpoint.Call) -> event_stream.EventStream:
        query = self._find_query(call)
        who = (call.operator.how, call.operator.number or call.operator.name)
        self._streams.check(who)
        return event_stream.EventStream(lambda: self._follow(call, query), self._streams, who)

    async def _follow(self, call: endpoint.Call, query: log_query.LogQuery) -> event_stream.Events:
        """Ends when the site is gone, or the reader may look no more."""
        followed = await asyncio.to_thread(self._log.follow, query, shows_secrets=_shows_secrets(call.operator))
        loop = asyncio.get_running_loop()
        beat_at_s = loop.time()
        try:
            while True:
                if loop.time() >= beat_at_s:
                    if (end := await self._find_end(call)) is not None:
                        yield event_stream.event("end", {"why": end})
                        return
                    now = datetime.datetime.now(datetime.UTC)
                    yield event_stream.event("beat", {"as_of": json_values.instant_json(now)})
                    beat_at_s = loop.time() + self._beat_s
                try:
                    found = await asyncio.to_thread(followed.read)
                except DaemunError as error:
                    yield event_stream.event("end", {"why": str(error)})
                    return
                for row in found.rows:
                    yield event_stream.event("row", row)
                if found.skipped:
                    yield event_stream.event("skipped", {"count": found.skipped})
                await asyncio.sleep(self._poll_s)
        finally:
            await asyncio.to_thread(followed.close)

    async def _find_end(self, call: endpoint.Call) -> str | None:
        """Why it may not go on. None: it may."""
        try:
            operator = await call.identify()
            if operator is None or operator.role < call.operator.role:
                return "your session ended; sign in again"
            site_endpoints.find(self._gate, call.path("host"))
        except exceptions.HTTPException as error:
            return error.detail
        except DaemunError as error:  # such as too many wrong credentials of the same network: it answered 200 before
            return str(error)
        return None

    def _find_query(self, call: endpoint.Call) -> log_query.LogQuery:
        """Raises: HTTPException 400 or 404."""
        _, item = site_endpoints.find(self._gate, call.path("host"))
        try:
            return log_query.parse(item.site.names, call.request.query_params)
        except ValueError as error:
            raise exceptions.HTTPException(400, f"cannot look for this in the log: {error}") from error


def _shows_secrets(operator: dashboard_roles.Operator) -> bool:
    return operator.role >= dashboard_roles.Role.OWN
