"""The API of a site's page in front of a gate that a test controls, for an operator of any role."""

import collections.abc
import pathlib
import typing

import httpx

from daemun.core import layout, model
from daemun.web import endpoint, operator_api
from daemun.wiring import site_records
from tests.support import fake_gate, operator_client


class Records(site_records.SiteRecordReader):
    """Of a state directory that no daemon uses. settings: of the gate."""

    def __init__(self, state: pathlib.Path) -> None:
        self.paths = layout.Layout(str(state))
        super().__init__(self.paths, lambda: None)
        self.settings = model.Globals()

    def find_settings(self) -> model.Globals:
        return self.settings


Endpoints = collections.abc.Iterable[endpoint.ApiEndpoint]


class Client:
    """role: None: without a credential."""

    def __init__(self, endpoints: Endpoints, operators: operator_client.Operators) -> None:
        self.app = operator_api.create_app(endpoints, operators, version="1.2")

    async def request(self, method: str, path: str, *, role: str | None = "look", **more: typing.Any) -> httpx.Response:
        headers = {} if role is None else {"Authorization": f"Bearer {role}"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gate", timeout=60) as client:
            return await client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, path: str, **more: typing.Any) -> typing.Any:
        """The JSON of an answer that is good."""
        answer = await self.request("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


def gate_of(folder: pathlib.Path, *sites: model.Site) -> fake_gate.FakeGate:
    gate = fake_gate.FakeGate(config=folder / "daemun.yaml", state=folder / "state")
    gate.tell(sites=tuple(map(fake_gate.live, sites)))
    return gate
