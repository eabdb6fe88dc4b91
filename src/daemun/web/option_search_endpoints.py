"""The API's endpoint for finding options of daemun.yaml by their name, or by what they mean."""

import typing

from daemun.core.access import dashboard_roles
from daemun.core.options import option_search
from daemun.web import endpoint

Json = dict[str, typing.Any]

MOST = 10
_LONGEST = 200


def endpoints() -> tuple[endpoint.ApiEndpoint, ...]:
    return (
        endpoint.ApiEndpoint(
            method="GET",
            path="/options/search",
            needs=dashboard_roles.Role.LOOK,
            summary="Find options of daemun.yaml",
            handler=_find,
            query=(endpoint.Parameter(name="q", meaning="words of a name, or of what it means", is_required=True),),
            answer=f"rows, {MOST} at most: key, help, levels (gate, site, route)",
        ),
    )


async def _find(call: endpoint.Call) -> Json:
    return rows_json(call.query("q"))


def rows_json(text: str) -> Json:
    found = option_search.find(text[:_LONGEST], MOST)
    return {
        "rows": [
            {"key": one.name, "help": one.meaning, "levels": [level.value for level in one.levels]} for one in found
        ]
    }
