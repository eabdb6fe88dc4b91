"""Pages of the dashboard in front of endpoints of the API, in this process, without a daemon."""

import asyncio
import collections.abc
import contextlib
import functools
import typing
import urllib.parse

import httpx
from starlette import applications, types

from daemun.control import operator_port
from daemun.core.access import dashboard_roles
from daemun.dashboard import api_client, page_application, visit
from daemun.web import endpoint, operator_api
from tests.support import operator_client

Json = dict[str, typing.Any]

HOST = "daemun.localhost"
HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}}</script>\u202e"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"


class PageHouse:
    """role: of whoever looks; it is the session, too."""

    def __init__(self, endpoints: collections.abc.Iterable[endpoint.ApiEndpoint]) -> None:
        self.operators = operator_client.Operators()
        every = [*endpoints, _me()]
        api = operator_api.create_app(every, typing.cast(operator_port.OperatorPort, self.operators), version="1.2.3")
        self._api = httpx.ASGITransport(app=api)

    @property
    def pages(self) -> applications.Starlette:
        """Of this house until another one is asked for its pages."""
        _CLIENT.api = self._api
        return _make_pages()

    async def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, role: str = "own", language: str = "en"
    ) -> httpx.Response:
        cookies = f"{visit.SESSION_COOKIE}={role}; __Host-daemun-language={language}"
        headers = {"Cookie": cookies, "Origin": f"https://{HOST}", "X-Real-IP": operator_client.ADDRESS}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.pages), base_url=f"https://{HOST}", timeout=60
        ) as client:
            return await client.request(method, path, data=form, headers=headers)

    async def get(self, path: str, *, role: str = "own", language: str = "en", status: int = 200) -> str:
        answer = await self.request("GET", path, role=role, language=language)
        assert answer.status_code == status, answer.text
        return answer.text

    async def post(self, path: str, form: dict[str, str] | None = None, *, role: str = "own") -> str:
        """The page that a form leads to, with the message of what came of it."""
        answer = await self.request("POST", path, form or {}, role=role)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"], role=role)


class _InProcess:
    """As `api_client.ApiClient`, without a socket."""

    api: httpx.ASGITransport

    async def request(
        self,
        method: str,
        path: str,
        credentials: api_client.VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        body: collections.abc.Mapping[str, typing.Any] | None = None,
    ) -> typing.Any:
        async with httpx.AsyncClient(transport=self.api, base_url="http://daemun", timeout=60) as client:
            answer = await client.request(
                method,
                f"{api_client.PREFIX}{path}",
                params=dict(query or {}),
                json=body,
                headers={"Authorization": f"Bearer {credentials.session}", "X-Real-IP": credentials.address},
            )
        found = answer.json()
        if answer.status_code >= 400:
            raise api_client.ApiError(answer.status_code, found["error"], found)
        return found

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        credentials: api_client.VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        last_event: str = "",
    ) -> collections.abc.AsyncIterator[collections.abc.AsyncIterator[bytes]]:
        """As they come, which httpx's transport does not give."""
        sent: asyncio.Queue[types.Message] = asyncio.Queue(maxsize=100)
        left = asyncio.Event()

        async def receive() -> types.Message:
            await left.wait()
            return {"type": "http.disconnect"}

        scope: types.Scope = {
            "type": "http",
            "method": "GET",
            "path": f"{api_client.PREFIX}{path}",
            "query_string": urllib.parse.urlencode(query or {}).encode(),
            "headers": [(b"authorization", f"Bearer {credentials.session}".encode())],
        }
        answering = asyncio.ensure_future(self.api.app(scope, receive, sent.put))
        try:
            begun = await sent.get()
            if begun["status"] >= 400:
                raise api_client.ApiError(begun["status"], "refused")
            yield _chunks(sent)
        finally:
            left.set()
            while not answering.done():
                with contextlib.suppress(asyncio.QueueEmpty):
                    sent.get_nowait()
                await asyncio.sleep(0)


async def _chunks(sent: "asyncio.Queue[types.Message]") -> collections.abc.AsyncIterator[bytes]:
    while True:
        message = await sent.get()
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


_CLIENT = _InProcess()


@functools.cache
def _make_pages() -> applications.Starlette:
    """Once for all tests of a process: its templates take a second to compile."""
    return page_application.create_app(typing.cast(api_client.ApiClient, _CLIENT))


def _me() -> endpoint.ApiEndpoint:
    async def show(call: endpoint.Call) -> Json:
        return {"name": "ann", "role": call.operator.role.word, "state": "good", "needs_you": 0}

    role = dashboard_roles.Role.LOOK
    return endpoint.ApiEndpoint(method="GET", path="/me", needs=role, summary="Show who looks", handler=show)


def signed_in(house: PageHouse, role: str = "own") -> types.ASGIApp:
    """The pages for a browser on loopback without TLS, as seen by one who is signed in. ?language=ko: in Korean."""

    async def answer(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        if scope["type"] == "http":
            language = "ko" if b"language=ko" in scope["query_string"] else "en"
            cookie = f"{visit.SESSION_COOKIE}={role}; __Host-daemun-language={language}"
            kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            scope = {**scope, "headers": [*kept, (b"cookie", cookie.encode()), (b"x-forwarded-proto", b"http")]}
        await house.pages(scope, receive, send)

    return answer
