"""What nginx requests for a visitor's plain HTTP request of an unknown name: GET /ask/NAME/LOCATION over the unix
socket.

The answer sends the request to the named location that leads to HTTPS, or is what the visitor sees.
"""

import re

from starlette import responses, types

from daemun.core.certificates import on_demand_names
from daemun.on_demand import ask_program

_PATH = re.compile(r"/ask/(?P<host>[a-z0-9._-]{1,253})/(?P<location>[a-z_]+)\Z")
_STATUS = {on_demand_names.Denial.BUSY: 503, on_demand_names.Denial.UNREACHABLE: 503, on_demand_names.Denial.FULL: 503}
"""What may pass; everything else is 404, as for an unknown name."""


def create_app(program: ask_program.AskProgram) -> types.ASGIApp:
    """An ASGI application, to be run on the event loop of the program."""

    async def app(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        match = _PATH.match(scope["path"])
        client = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-real-ip"), None)
        refused = await program.decide(match["host"], client) if match is not None else None
        if match is None or refused is not None:
            status = 404 if refused is None else _STATUS.get(refused.denial, 404)
            headers = {"Cache-Control": "no-store", **({"Retry-After": "60"} if status == 503 else {})}
            answer = responses.PlainTextResponse("There is no such site here.\n", status_code=status, headers=headers)
        else:
            answer = responses.Response(headers={"X-Accel-Redirect": f"@{match['location']}"})  # type: ignore[assignment]
        await answer(scope, receive, send)

    return app
