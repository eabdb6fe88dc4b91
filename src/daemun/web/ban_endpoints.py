"""The API's endpoints for bans: who is refused on every site, who attacked lately, ban and unban."""

import collections
import typing

from starlette import exceptions, responses

from daemun.control import gate_port
from daemun.core.access import banned_networks, dashboard_roles
from daemun.web import endpoint, json_values, paging, request_body_json

Json = dict[str, typing.Any]

MOST_SCENARIOS = 20


def endpoints(gate: gate_port.GatePort) -> tuple[endpoint.ApiEndpoint, ...]:
    handlers = _Handlers(gate)
    look, change = dashboard_roles.Role.LOOK, dashboard_roles.Role.CHANGE
    address = endpoint.Parameter(name="address", meaning='"203.0.113.7" or "203.0.113.0/24"', is_required=True)
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/bans",
            needs=look,
            summary="List the addresses that are refused on every site",
            handler=handlers.list,
            query=(
                *paging.QUERY,
                endpoint.Parameter(name="q", meaning="a part of the address or of the note"),
                endpoint.Parameter(name="reason", meaning="owner, guesses or crowdsec: those alone"),
            ),
            answer="address, reason, note, since, until (null: for good), waits; reasons: how many of each there are",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/bans",
            needs=change,
            summary="Refuse an address on every site",
            handler=handlers.ban,
            body=(
                address,
                endpoint.Parameter(name="seconds", meaning="how long; for good if left out", kind="integer"),
            ),
            answer="the ban, as a row of the list",
        ),
        endpoint.ApiEndpoint(
            method="POST",
            path="/bans/remove",
            needs=change,
            summary="Lift a ban",
            handler=handlers.unban,
            body=(address,),
            answer="what the ban was",
        ),
        endpoint.ApiEndpoint(
            method="GET",
            path="/attacks",
            needs=look,
            summary="List who guessed passwords, and whom CrowdSec had refused, in the last day",
            handler=handlers.attacks,
            query=paging.QUERY,
            answer="rows as of the list of bans, the newest first, some of them over; kinds: how many of each note",
        ),
    )


class _Handlers:
    def __init__(self, gate: gate_port.GatePort) -> None:
        self._gate = gate

    async def list(self, call: endpoint.Call) -> Json:
        page, bans = paging.read(call), self._gate.bans()
        wanted, reason = call.query("q").strip().lower(), call.query("reason")
        counted = collections.Counter(one.reason for one in bans)
        chosen = [
            one
            for one in bans
            if reason in {"", one.reason.value} and (wanted in one.network or wanted in one.note.lower())
        ]
        chosen.sort(key=lambda one: (_ORDER[one.reason], -one.since.timestamp(), one.network))
        shown = [row_json(one) for one in chosen[page.first : page.first + page.size]]
        reasons = {one.value: counted[one] for one in banned_networks.Reason}
        return {**page.of(shown, total=len(chosen)), "reasons": reasons}

    async def ban(self, call: endpoint.Call) -> responses.Response:
        address, seconds = request_body_json.take_text(call.body, "address"), call.body.get("seconds")
        call.target = address[:50]
        if isinstance(seconds, bool) or not isinstance(seconds, int | None) or (seconds is not None and seconds < 1):
            raise exceptions.HTTPException(400, 'cannot ban: "seconds" must be a number above 0, or null')
        made = row_json(await self._gate.ban(address[:100], seconds))
        call.after = "for good" if made["until"] is None else f"until {made['until']}"
        return responses.JSONResponse(made, status_code=201)

    async def unban(self, call: endpoint.Call) -> Json:
        address = request_body_json.take_text(call.body, "address")
        call.target = address[:50]
        removed = row_json(await self._gate.unban(address[:100]))
        call.before = f"{removed['reason']}, since {removed['since']}"
        return removed

    async def attacks(self, call: endpoint.Call) -> Json:
        page, found = paging.read(call), self._gate.find_attacks()
        kinds = collections.Counter((one.reason.value, _kind_of(one)) for one in found)
        return {
            **page.cut([row_json(one) for one in found]),
            "kinds": [
                {"reason": reason, "kind": kind, "count": count}
                for (reason, kind), count in kinds.most_common(MOST_SCENARIOS)
            ],
        }


_ORDER = {one: number for number, one in enumerate(banned_networks.Reason)}


def _kind_of(ban: banned_networks.Ban) -> str:
    """Of CrowdSec its scenario; the numbers of wrong passwords are no kinds."""
    return ban.note if ban.reason is banned_networks.Reason.CROWDSEC else ""


def row_json(ban: banned_networks.Ban) -> Json:
    """Keys may be added, never renamed. `waits`: it may come in again by itself soon (429 instead of 403)."""
    return {**json_values.ban_json(ban), "waits": ban.is_wait}
