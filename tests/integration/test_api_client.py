"""The API as the pages request it, over a socket: what of an answer they get, and what they do without one."""

import asyncio
import collections.abc
import contextlib
import pathlib
import typing

import httpx
import pytest
from starlette import applications, requests, responses, routing

from daemun.dashboard import api_client, page_application
from daemun.web import socket_server
from tests.support import until

NOBODY = api_client.VisitorCredentials()
Answer = collections.abc.Callable[[requests.Request], responses.Response]


@contextlib.asynccontextmanager
async def answering(folder: pathlib.Path, answer: Answer) -> collections.abc.AsyncIterator[api_client.ApiClient]:
    """A daemon that answers everything so."""
    path = folder / "api.sock"

    async def respond(request: requests.Request) -> responses.Response:
        return answer(request)

    route = routing.Route("/{path:path}", respond, methods=["GET", "POST"])
    client = api_client.ApiClient(str(path))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(socket_server.serve(lambda: applications.Starlette(routes=[route]), path))
        await asyncio.to_thread(until.true, path.exists)
        async with contextlib.aclosing(_Closing(client)):
            yield client
        task.cancel()


class _Closing:
    def __init__(self, client: api_client.ApiClient) -> None:
        self._client = client

    async def aclose(self) -> None:
        await self._client.close()


async def test_a_large_answer_comes_whole(tmp_path: pathlib.Path) -> None:
    value = {"text": "\uac00" * 1_000_000, "rows": list(range(100_000))}
    async with answering(tmp_path, lambda _: responses.JSONResponse(value)) as client:
        assert await client.request("GET", "/draft", NOBODY) == value


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (responses.JSONResponse({"error": "no such site", "at": 7}, 404), 404, "no such site"),
        (responses.PlainTextResponse("broken", 500), 500, "500"),
        (responses.PlainTextResponse("broken", 200), 502, "cannot be read"),
        (responses.Response(b"[" * 100, 200), 502, "cannot be read"),
    ],
)
async def test_what_is_refused_or_unreadable_is_said(
    tmp_path: pathlib.Path, answer: responses.Response, status: int, words: str
) -> None:
    async with answering(tmp_path, lambda _: answer) as client:
        with pytest.raises(api_client.ApiError) as caught:
            await client.request("GET", "/sites", NOBODY)
    assert caught.value.status == status
    assert words in caught.value.message


async def test_without_a_daemon_pages_say_so(tmp_path: pathlib.Path) -> None:
    client = api_client.ApiClient(str(tmp_path / "none.sock"))
    answer = await _visit(client, "GET", "/enter")
    assert answer.status_code == 503
    assert "daemun status" in answer.text
    await client.close()


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
async def test_a_fresh_link_lets_in_whatever_becomes_of_an_old_session(tmp_path: pathlib.Path, status: int) -> None:
    def answer(request: requests.Request) -> responses.Response:
        if request.url.path.endswith("/me"):
            return responses.JSONResponse({"error": "the judge of sign-ins does not answer"}, status)
        found: dict[str, typing.Any] = {"link": True, "login": True}
        if request.method == "POST":
            found = {"session": "new", "number": "1", "ends_at": "2026-11-30T09:10:11Z"}
        return responses.JSONResponse(found)

    async with answering(tmp_path, answer) as client:
        assert (await _visit(client, "GET", "/enter")).status_code == 200
        entered = await _visit(client, "POST", "/enter", "link=abc&next=%2Fsites")
        assert (entered.status_code, entered.headers["location"]) == (303, "/sites")
        assert "new" in entered.headers["set-cookie"]
        left = await _visit(client, "POST", "/sign-out")
        assert left.status_code == 303
        closed = await _visit(client, "GET", "/sites")
        assert closed.status_code == (303 if status == 401 else status)


async def _visit(client: api_client.ApiClient, method: str, path: str, body: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app=page_application.create_app(client))
    headers = {
        "Origin": "https://gate.test",
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "__Host-daemun-dashboard=old; __Host-daemun-session=old",
    }
    async with httpx.AsyncClient(transport=transport, base_url="https://gate.test", timeout=60) as browser:
        return await browser.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize("cookie", ['"a\\012b"', '"\\000"', "a\u00e9b", "a" * 5000, '"'])
@pytest.mark.parametrize("name", ["__Host-daemun-dashboard", "__Host-daemun-session"])
async def test_no_cookie_is_a_defect(tmp_path: pathlib.Path, name: str, cookie: str) -> None:
    """Each request of a stranger would leave a trace in the log."""
    refused = responses.JSONResponse({"error": "sign in first"}, 401)
    async with answering(tmp_path, lambda _: refused) as client:
        transport = httpx.ASGITransport(app=page_application.create_app(client))
        async with httpx.AsyncClient(transport=transport, base_url="https://gate.test", timeout=60) as browser:
            answer = await browser.get("/", headers=[(b"cookie", f"{name}={cookie}".encode("latin-1"))])
        assert (answer.status_code, answer.headers["location"]) == (303, "/enter")


@pytest.mark.parametrize(
    ("session", "sent"),
    [
        ("daemun_session_abc", "Bearer daemun_session_abc"),
        ("daemun_api_abc", None),
        ("x daemun_session_abc", None),
        ("", None),
    ],
)
async def test_a_session_alone_is_sent_as_one(tmp_path: pathlib.Path, session: str, sent: str | None) -> None:
    """The cookie of a page lets nobody in by a token of the API."""
    seen: list[tuple[str | None, str | None]] = []

    def answer(request: requests.Request) -> responses.Response:
        seen.append((request.headers.get("authorization"), request.headers.get("x-daemun-login")))
        return responses.JSONResponse({})

    async with answering(tmp_path, answer) as client:
        await client.request("GET", "/me", api_client.VisitorCredentials(session=session, login="of-login"))
    assert seen == [(sent, "of-login")]


@pytest.mark.parametrize("path", ["/enter/", "/sites/", "/static/dashboard.css/"])
async def test_nothing_leads_away_from_https(path: str) -> None:
    client = api_client.ApiClient("nowhere")
    answer = await _visit(client, "GET", path)
    assert (answer.status_code, answer.headers.get("location")) == (404, None)
    await client.close()
