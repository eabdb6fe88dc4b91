"""What the API for dashboards and programs is made of: one value for each thing that can be requested.

Who may request it, what is noted of it, and its documentation (OpenAPI 3.1, spec.openapis.org/oas/v3.1.1) follow from
the value (`web.operator_api`, `web.openapi`).
"""

import collections.abc
import dataclasses
import typing

from starlette import requests, responses

from daemun.control import operator_port
from daemun.core.access import dashboard_roles
from daemun.web import request_body_json

Handler = collections.abc.Callable[["Call"], collections.abc.Awaitable[responses.Response | typing.Any]]
"""What it returns is sent as JSON, unless it is a response. Raises: HTTPException with its words, DaemunError."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Call:
    """A request whose operator may make it. body: the JSON object that came; {} when there was none.

    identify: who sends these credentials now, for answers that go on; None: the session or the token ended.
    credentials: that came, for who signs out.
    target, before, after: what the audit log notes of a change beside the request itself; set by the handler. Never a
    secret.
    """

    request: requests.Request
    operator: dashboard_roles.Operator
    body: dict[str, typing.Any]
    identify: collections.abc.Callable[[], collections.abc.Awaitable[dashboard_roles.Operator | None]]
    credentials: operator_port.OperatorCredentials = dataclasses.field(
        default_factory=operator_port.OperatorCredentials
    )
    target: str = ""
    before: str = ""
    after: str = ""

    def path(self, name: str) -> str:
        """A part of the path in braces."""
        found: str = self.request.path_params[name]
        return found

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Of a query or a body. kind: as of JSON Schema ("string", "integer", "boolean", "object", "array", "number")."""

    name: str
    meaning: str
    kind: str = "string"
    is_required: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApiEndpoint:
    """path: below /api/v1, parts in braces ("/sites/{host}"). needs: the least role. summary: one line, an imperative.

    query, body: what may come with it. answer: what comes back, in words. streams: whether the answer goes on
    (server-sent events). is_open: it needs no credential, and its operator has no name. most_body_bytes: of a larger
    body nothing is read (413). is_noted: whether it stands in the audit log; None: when it needs more than to look.
    hides_secrets: whether an answer that is good has none for who may not see them; of others everything that looks
    like one is hidden (`core.texts.secret_forms`).
    """

    method: str
    path: str
    needs: dashboard_roles.Role
    summary: str
    handler: Handler
    query: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] = ()
    answer: str = ""
    streams: bool = False
    is_open: bool = False
    most_body_bytes: int = request_body_json.LARGEST_BODY_BYTES
    is_noted: bool | None = None
    hides_secrets: bool = False
