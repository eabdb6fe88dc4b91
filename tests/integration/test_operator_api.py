"""The API for dashboards: who may request what, and what is noted of it."""

import asyncio
import json
import typing

import httpx
import pytest
from starlette import exceptions, responses

from daemun.core.access.dashboard_roles import Role
from daemun.errors import DaemunError, RetryableError
from daemun.web import endpoint, openapi, operator_api
from tests.support import operator_client


async def _look(call: endpoint.Call) -> dict[str, str]:
    return {"host": call.path("host"), "q": call.query("q"), "address": call.operator.address}


async def _change(call: endpoint.Call) -> responses.Response:
    call.target = "shop.example.com"
    return responses.JSONResponse(call.body, status_code=201)


async def _fail(call: endpoint.Call) -> None:
    if call.body.get("how") == "words":
        raise DaemunError("the file is gone")
    if call.body.get("how") == "wait":
        raise RetryableError("the CA demands a wait", retry_after_s=6.2)
    if call.body.get("how") == "status":
        raise exceptions.HTTPException(422, "cannot do that")
    if call.body.get("how") == "stop":
        raise asyncio.CancelledError
    raise RuntimeError("secret")


_HOOKS = {
    "rows": [{"to": "https://me:S3cret@hooks.example.com/in?token=S3cret&a=b", "count": 3}],
    "http://h/?token=S3cret": None,
    "as_of": "2026-11-30T09:10:11Z",
    "problem": "to: cannot use http://h/a?api_key=S3cret: no server",
}


async def _show_hooks(_: endpoint.Call) -> typing.Any:
    return _HOOKS


async def _set_hooks(call: endpoint.Call) -> responses.Response:
    call.target, call.before, call.after = "http://me:S3cret@h", "/x?token=S3cret", "$2y$05$S3cret"
    if "status" in call.body:
        raise exceptions.HTTPException(call.body["status"], "expected a URL, found http://h/?token=S3cret")
    if "words" in call.body:
        raise DaemunError("cannot reach http://h/a?api_key=S3cret")
    return responses.JSONResponse(_HOOKS, status_code=201, headers={"X-Own": "1"})


_ENDPOINTS = (
    endpoint.ApiEndpoint(
        method="GET",
        path="/sites/{host}",
        needs=Role.LOOK,
        summary="Show a site",
        handler=_look,
        query=(endpoint.Parameter(name="q", meaning="what to look for"),),
    ),
    endpoint.ApiEndpoint(
        method="POST",
        path="/sites",
        needs=Role.CHANGE,
        summary="Add a site",
        handler=_change,
        body=(endpoint.Parameter(name="host", meaning="its name", is_required=True),),
        most_body_bytes=100,
    ),
    endpoint.ApiEndpoint(method="GET", path="/hooks", needs=Role.LOOK, summary="Show hooks", handler=_show_hooks),
    endpoint.ApiEndpoint(
        method="GET", path="/draft", needs=Role.LOOK, summary="Show", handler=_show_hooks, hides_secrets=True
    ),
    endpoint.ApiEndpoint(
        method="POST",
        path="/hooks",
        needs=Role.CHANGE,
        summary="Set hooks",
        handler=_set_hooks,
        body=(
            endpoint.Parameter(name="status", meaning="of the answer", kind="integer"),
            endpoint.Parameter(name="words", meaning="of an error", kind="boolean"),
        ),
    ),
    endpoint.ApiEndpoint(
        method="POST",
        path="/fail",
        needs=Role.OWN,
        summary="Fail",
        handler=_fail,
        body=(endpoint.Parameter(name="how", meaning="words, wait, status or stop"),),
    ),
)


class _Client:
    def __init__(self, operators: operator_client.Operators) -> None:
        app = operator_api.create_app(_ENDPOINTS, operators, version="1.2")
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    async def request(self, method: str, path: str, **more: typing.Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://gate", timeout=60) as client:
            return await client.request(method, path, **more)

    async def get(self, path: str, **more: typing.Any) -> httpx.Response:
        return await self.request("GET", path, **more)

    async def post(self, path: str, **more: typing.Any) -> httpx.Response:
        return await self.request("POST", path, **more)


@pytest.fixture
def operators() -> operator_client.Operators:
    return operator_client.Operators()


@pytest.fixture
def client(operators: operator_client.Operators) -> _Client:
    return _Client(operators)


def _as(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}", "X-Real-IP": "192.0.2.7"}


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic look"}])
async def test_nobody_gets_nothing(
    client: _Client, operators: operator_client.Operators, credential: dict[str, str]
) -> None:
    for method, path in (("GET", "/api/v1/sites/a"), ("POST", "/api/v1/sites"), ("POST", "/api/v1/fail")):
        answer = await client.request(method, path, headers=credential)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "daemun dashboard" in answer.json()["error"]
    assert operators.noted == []


async def test_who_guesses_waits(client: _Client) -> None:
    answer = await client.get("/api/v1/sites/a", headers=_as("guess"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize(
    ("role", "statuses"), [("look", [200, 403, 403]), ("change", [200, 201, 403]), ("own", [200, 201, 500])]
)
async def test_each_role_does_what_it_may(client: _Client, role: str, statuses: list[int]) -> None:
    requested: tuple[tuple[str, str, dict[str, str] | None], ...]
    requested = (("GET", "/api/v1/sites/a", None), ("POST", "/api/v1/sites", {}), ("POST", "/api/v1/fail", {}))
    answers = [await client.request(one, path, json=body, headers=_as(role)) for one, path, body in requested]
    assert [one.status_code for one in answers] == statuses


async def test_looking_is_not_noted_and_what_changes_is(client: _Client, operators: operator_client.Operators) -> None:
    found = await client.get("/api/v1/sites/shop.example.com?q=x", headers=_as("look"))
    assert found.json() == {"host": "shop.example.com", "q": "x", "address": "192.0.2.7"}
    assert found.headers["cache-control"] == "no-store"
    assert operators.noted == []
    await client.post("/api/v1/sites", json={"host": "shop.example.com"}, headers=_as("change"))
    await client.post("/api/v1/sites", json={"host": "shop.example.com"}, headers=_as("look"))
    noted = [(one.operator.name, one.path, one.target, one.status) for one in operators.noted]
    assert noted == [("ann", "/api/v1/sites", "shop.example.com", 201), ("ann", "/api/v1/sites", "", 403)]


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("words", 409, "the file is gone"),
        ("status", 422, "cannot do that"),
        ("wait", 503, "demands a wait"),
        ("stop", 503, "is being stopped"),
        ("", 500, "log"),
    ],
)
async def test_what_fails_says_why_and_is_noted(
    client: _Client, operators: operator_client.Operators, how: str, status: int, words: str
) -> None:
    answer = await client.post("/api/v1/fail", json={"how": how}, headers=_as("own"))
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "secret" not in answer.text
    assert [one.status for one in operators.noted] == [status]
    assert answer.headers.get("retry-after") == {"wait": "7", "stop": "5"}.get(how)


@pytest.mark.parametrize(
    ("content", "status"), [(b"[" * 50, 400), (b'{"a": "' + b"x" * 200 + b'"}', 413), (b"[]", 400), (b"\xff", 400)]
)
async def test_bodies_are_bounded(client: _Client, content: bytes, status: int) -> None:
    answer = await client.post("/api/v1/sites", content=content, headers=_as("own"))
    assert answer.status_code == status


@pytest.mark.parametrize("content", [rb'{"a": "\ud800"}', rb'{"a": [{"\uDFFF": 1}]}', b'{"a": "\xed\xa0\x80"}'])
async def test_half_a_character_is_refused(client: _Client, content: bytes) -> None:
    answer = await client.post("/api/v1/fail", content=content, headers=_as("own"))
    assert answer.status_code == 400 and "cannot read the body as JSON" in answer.json()["error"]
    whole = await client.post("/api/v1/fail", content=rb'{"how": "\ud83d\ude00"}', headers=_as("own"))
    assert whole.status_code == 500


async def test_the_api_documents_itself(client: _Client) -> None:
    found = (await client.get("/api/v1/openapi.json")).json()
    assert found == openapi.describe(_ENDPOINTS, version="1.2")
    assert found["paths"]["/sites/{host}"]["get"]["parameters"][0]["in"] == "path"
    assert found["paths"]["/sites"]["post"]["requestBody"]["required"] is True
    refusals = {number for path in found["paths"].values() for one in path.values() for number in one["responses"]}
    assert refusals - {"2XX"} <= set(found["components"]["responses"])
    names = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)


async def test_the_documentation_is_made_once(client: _Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def dumps(*_: object, **__: object) -> str:
        raise AssertionError("serialised for a stranger")

    monkeypatch.setattr(json, "dumps", dumps)
    answer = await client.get("/api/v1/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


async def test_unknown_paths_lead_to_the_documentation(client: _Client) -> None:
    answer = await client.get("/api/v1/nothing", headers=_as("own"))
    assert answer.status_code == 404
    assert "openapi.json" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/hooks", "GET, HEAD, POST"),
        ("GET", "/sites", "POST"),
        ("POST", "/sites/a", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
async def test_another_method_is_refused_with_those_there_are(
    client: _Client, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, f"/api/v1{path}", headers=_as("own"))
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert f"takes {allowed}, not {method}" in answer.json()["error"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 201),
        ({"Origin": "https://GATE"}, 201),
        ({"Origin": "http://gate"}, 403),
        ({"Origin": "https://GATE:8443"}, 403),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "https://gate.evil.test"}, 403),
        ({"Origin": "https://evil.test:gate"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ],
)
async def test_pages_of_other_hosts_change_nothing(
    client: _Client, operators: operator_client.Operators, sent: dict[str, str], status: int
) -> None:
    answer = await client.post("/api/v1/sites", content=b"{}", headers={**_as("own"), **sent})
    assert answer.status_code == status
    if status == 403:
        assert operators.noted == []
    # What only shows something is shown to whoever says who it is; another page cannot read it.
    assert (await client.get("/api/v1/sites/a", headers={**_as("look"), **sent})).status_code == 200


async def test_owners_alone_see_what_looks_like_a_secret(client: _Client, operators: operator_client.Operators) -> None:
    assert (await client.get("/api/v1/hooks", headers=_as("own"))).json() == _HOOKS
    assert (await client.get("/api/v1/hooks", headers=_as("look"))).json() == {
        "rows": [{"to": "https://me:(hidden)@hooks.example.com/in?token=(hidden)&a=b", "count": 3}],
        "http://h/?token=(hidden)": None,
        "as_of": "2026-11-30T09:10:11Z",
        "problem": "to: cannot use http://h/a?api_key=(hidden) no server",
    }
    for body in ({}, {"status": 422}, {"words": True}):
        answer = await client.post("/api/v1/hooks", json=body, headers=_as("change"))
        assert "(hidden)" in answer.text
        assert "S3cret" not in answer.text
        assert "S3cret" in (await client.post("/api/v1/hooks", json=body, headers=_as("own"))).text
    assert {one.status for one in operators.noted} == {201, 422, 409}
    noted = {(one.target, one.before, one.after) for one in operators.noted}
    assert noted == {("http://me:(hidden)@h", "/x?token=(hidden)", "(hidden)")}


async def test_what_hides_its_secrets_stays(client: _Client) -> None:
    assert (await client.get("/api/v1/draft", headers=_as("look"))).json() == _HOOKS
