"""Errors as answers of the API, the same on the control socket and below /api/v1: {"error": "..."} with a status that
follows from the kind of the error (`status_of`), documented for programs by `MEANINGS`.

What is wrong with the form of a request is an HTTPException 400 of whoever reads it; what a person may not see stays
in the log. Source: RFC 9110 section 15; RFC 6585 for 429.
"""

import collections.abc
import math

from starlette import exceptions, requests, responses, routing

from daemun import errors
from daemun.control import operator_port

MEANINGS = {
    400: "The query or the body cannot be read: a part is missing, or of another kind.",
    401: "Whoever sends this is unknown: there is no session and no token, or it ended.",
    403: "The role does not suffice, or a page of another host sent this.",
    404: "What is named is not there.",
    405: "The path takes other methods; `Allow` has them.",
    409: "It does not fit how things are now: something was changed meanwhile, is there already, or is under way.",
    413: "The body is too large; nothing of it was read.",
    422: "It can be read, and not be used: a value, a file of the configuration, or what nginx makes of it, is wrong.",
    429: "Too much at once, or too many wrong credentials; `Retry-After` has the seconds to wait.",
    500: "A defect in daemun; its log has more.",
    503: "The machine, or something outside that is needed, fails now: a file, a disk, a process, a CA.",
}
"""What each status of a refusal means."""

_STATUSES: tuple[tuple[type[errors.DaemunError], int], ...] = (
    (operator_port.TooManyGuessesError, 429),
    (errors.TooManyAtOnceError, 429),
    (errors.ForbiddenError, 403),
    (errors.NotFoundError, 404),
    (errors.NotFoundInStoreError, 404),
    (errors.ConflictError, 409),
    (errors.LockHeldError, 409),
    (errors.ConfigError, 422),
    (errors.RenderError, 422),
    (errors.ApplyError, 422),
    (errors.EnvironmentProblemError, 503),
    (errors.RetryableError, 503),
    (errors.DaemunError, 409),
)
"""The first that fits."""


def status_of(error: Exception) -> int:
    """500: a defect."""
    if isinstance(error, exceptions.HTTPException):
        return error.status_code
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def headers_of(error: Exception) -> dict[str, str]:
    """When it may be requested again, where that is known; of an HTTPException its own."""
    if isinstance(error, exceptions.HTTPException):
        return dict(error.headers or {})
    wait_s: float | None = getattr(error, "retry_after_s", None)
    return {} if wait_s is None else {"Retry-After": str(max(1, math.ceil(wait_s)))}


def text_of(error: Exception, request: requests.Request, *, hint: str = "") -> str:
    """hint: what follows where there is no such path."""
    if isinstance(error, exceptions.HTTPException):
        if error.status_code == 405:
            return f"{request.url.path} takes {_allowed(error)}, not {request.method}{hint}"
        if error.status_code == 404 and error.detail == "Not Found":  # of no route's words
            return f"there is no {request.url.path}{hint}"
        return error.detail
    if isinstance(error, errors.DaemunError):
        return str(error)
    return f"this is a defect in daemun ({type(error).__name__}); its log tells more"


def with_refusals(routes: collections.abc.Iterable[routing.BaseRoute]) -> list[routing.BaseRoute]:
    """The routes, and behind them those that refuse each path's other methods with all that it takes (405): Starlette
    knows of a path's first route alone."""
    found = list(routes)
    methods: dict[str, set[str]] = {}
    for route in found:
        if isinstance(route, routing.Route):
            methods.setdefault(route.path, set()).update(route.methods or ())
    return [*found, *(routing.Route(path, _Refusal(allowed)) for path, allowed in methods.items())]


class _Refusal:
    """Answers every method with an error, as an ASGI application."""

    def __init__(self, methods: collections.abc.Iterable[str]) -> None:
        self._headers = {"Allow": ", ".join(sorted(methods))}

    async def __call__(self, *_: object) -> None:
        raise exceptions.HTTPException(405, headers=self._headers)


def _allowed(error: exceptions.HTTPException) -> str:
    return (error.headers or {}).get("Allow", "other methods")


def answer(
    error: Exception, text: str, *, headers: collections.abc.Mapping[str, str] | None = None
) -> responses.JSONResponse:
    found = {**(headers or {}), **headers_of(error)}
    return responses.JSONResponse({"error": text}, status_code=status_of(error), headers=found)
