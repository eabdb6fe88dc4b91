"""Configurations on trial, on the control socket: beside the routes of `web.api`."""

from starlette import exceptions, requests, responses, routing

from daemun.control import history_port
from daemun.web import api, request_body_json


def routes(trials: history_port.Trials) -> list[routing.BaseRoute]:
    handlers = _Handlers(trials)
    return [
        routing.Route("/trial", handlers.begin, methods=["POST"]),
        routing.Route("/trial/confirm", handlers.confirm, methods=["POST"]),
        routing.Route("/trial/undo", handlers.undo, methods=["POST"]),
    ]


class _Handlers:
    def __init__(self, trials: history_port.Trials) -> None:
        self._trials = trials

    async def begin(self, request: requests.Request) -> responses.Response:
        """{"seconds": 60, "number": 11}; without `number`: before the last change."""
        body = await request_body_json.read_object(request)
        seconds, number = request_body_json.take_seconds(body, "seconds"), body.get("number")
        if seconds is None or isinstance(number, bool) or not isinstance(number, int | None):
            raise exceptions.HTTPException(400, 'cannot begin a trial: expected {"seconds": 60, "number": 11}')
        trial = await self._trials.begin(seconds, number)
        return responses.JSONResponse(history_port.trial_json(trial), status_code=201)

    async def confirm(self, _: requests.Request) -> responses.Response:
        return responses.JSONResponse(history_port.trial_json(await self._trials.confirm()))

    async def undo(self, request: requests.Request) -> responses.Response:
        """?by=COMMAND&user=NAME: who requests it."""
        return responses.JSONResponse(history_port.trial_json(await self._trials.undo(api.find_caller(request))))
