"""Endpoints of the API for dashboards, requested as an operator of a role, without the rest of a daemon."""

import collections.abc
import typing

import httpx

from daemun.control import operator_port
from daemun.core.access import dashboard_roles
from daemun.web import endpoint, operator_api

Json = dict[str, typing.Any]

ADDRESS = "192.0.2.7"


class Operators:
    """Whoever sends the word of a role has it, until `has_ended`; who sends "guess" has to wait, and all when
    `has_guessed`. noted: what the audit log got."""

    def __init__(self) -> None:
        self.noted: list[operator_port.NotedRequest] = []
        self.has_ended = self.has_guessed = False

    async def identify(self, credentials: operator_port.OperatorCredentials) -> dashboard_roles.Operator | None:
        word = credentials.authorization.removeprefix("Bearer ")
        if self.has_guessed or word == "guess":
            raise operator_port.TooManyGuessesError(7)
        if self.has_ended or word not in {role.word for role in dashboard_roles.Role}:
            return None
        role = dashboard_roles.Role[word.upper()]
        return dashboard_roles.Operator(name="ann", role=role, how="token", number="7", address=credentials.address)

    async def note(self, noted: operator_port.NotedRequest) -> None:
        self.noted.append(noted)


class OperatorClient:
    def __init__(self, endpoints: collections.abc.Iterable[endpoint.ApiEndpoint]) -> None:
        self.operators = Operators()
        app = operator_api.create_app(endpoints, self.operators, version="1.2.3")
        self._transport = httpx.ASGITransport(app=app)

    @property
    def noted(self) -> list[tuple[str, str, int]]:
        """What was noted: the path, what was changed, and the status."""
        return [(one.path.removeprefix(operator_api.PREFIX), one.target, one.status) for one in self.operators.noted]

    async def request(self, method: str, path: str, body: Json | None = None, role: str = "change") -> httpx.Response:
        headers = {"Authorization": f"Bearer {role}", "X-Real-IP": ADDRESS}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://gate", timeout=60) as client:
            return await client.request(method, f"{operator_api.PREFIX}{path}", json=body, headers=headers)

    async def get(self, path: str, role: str = "look") -> Json:
        """The answer of a request that is good."""
        answer = await self.request("GET", path, role=role)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def fail(self, method: str, path: str, body: Json | None = None, role: str = "change") -> tuple[int, str]:
        """The status and the words of one that is refused."""
        answer = await self.request(method, path, body, role=role)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]
