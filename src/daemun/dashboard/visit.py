"""One request of a visitor, as pages handle it: what it brought, the API in its name, and the answers there are."""

import collections.abc
import contextlib
import dataclasses
import secrets
import typing
import urllib.parse

import jinja2
from starlette import requests, responses

from daemun.dashboard import (
    api_client,
    declared_texts,
    form_body,
    page_environment,
    page_frame,
    page_messages,
    page_texts,
)

SESSION_COOKIE = "__Host-daemun-dashboard"
LOGIN_COOKIE = "__Host-daemun-session"
"""Of the sign-in, on this host (`core.render.login_locations`)."""
_LONGEST_COOKIE, _LONGEST_AGENT = 200, 300


@dataclasses.dataclass(slots=True, kw_only=True)
class Visit:
    """request: as it came. language: of the answer. nonce: of its scripts. me: what the API knows of who looks; {}
    before the sign-in. read_pairs: of the form, once it was read."""

    request: requests.Request
    client: api_client.ApiClient
    environment: jinja2.Environment
    messages: page_messages.PageMessages
    language: str
    nonce: str
    credentials: api_client.VisitorCredentials
    me: dict[str, typing.Any]
    read_pairs: list[tuple[str, str]] | None = None

    # --- the API -----------------------------------------------------------------------------------------------

    async def get(self, *parts: str, **query: object) -> typing.Any:
        """parts: of the path below /api/v1. query: without those that are None or "". Raises: ApiError."""
        given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        return await self.client.request("GET", api_client.join(*parts), self.credentials, query=given)

    async def send(
        self, method: str, *parts: str, body: collections.abc.Mapping[str, typing.Any] | None = None, **query: object
    ) -> typing.Any:
        """What changes something. Raises: ApiError."""
        given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        return await self.client.request(
            method, api_client.join(*parts), self.credentials, query=given, body=body if body is not None else {}
        )

    async def pass_events(self, *parts: str, **query: object) -> responses.Response:
        """Server-sent events of the API, passed on as they come. Raises: ApiError."""
        given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        last = self.request.headers.get("last-event-id", "")[:_LONGEST_COOKIE]
        stack = contextlib.AsyncExitStack()
        path = api_client.join(*parts)
        chunks = await stack.enter_async_context(
            self.client.stream(path, self.credentials, query=given, last_event=last)
        )

        async def send() -> collections.abc.AsyncIterator[bytes]:
            with contextlib.suppress(api_client.ApiError):  # the daemon ended; the browser comes again
                async with stack:
                    async for chunk in chunks:
                        yield chunk

        return responses.StreamingResponse(
            send(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    # --- what came ---------------------------------------------------------------------------------------------

    @property
    def role(self) -> str:
        """look, change or own; "" before the sign-in."""
        return str(self.me.get("role", ""))

    def part(self, name: str) -> str:
        """Of the path, in braces."""
        found: str = self.request.path_params[name]
        return found

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    async def form(self) -> dict[str, str]:
        """Of fields with one name the last; empty when the body is none, or too large."""
        return dict(await self.pairs())

    async def pairs(self) -> list[tuple[str, str]]:
        """The same with every field, in the order of the page."""
        if self.read_pairs is None:
            self.read_pairs = await form_body.read_pairs(self.request)
        return self.read_pairs

    async def field(self, name: str) -> str:
        """A text of the form; "" when it is missing."""
        return (await self.form()).get(name, "")

    def url_of(self, host: str) -> str:
        """Where visitors reach a site: by the port that this one was reached by. Of a pattern one of its names."""
        port = self.request.url.port
        return f"https://{host.replace('*', 'www', 1)}{'' if port in {None, 443} else f':{port}'}/"

    # --- answers -----------------------------------------------------------------------------------------------

    def render(
        self,
        template: str,
        *,
        entry: str = "",
        command: str = "",
        status: int = 200,
        search: str = "",
        messages: collections.abc.Iterable[page_frame.Message] = (),
        has_editor: bool = False,
        **values: typing.Any,
    ) -> responses.Response:
        """A page. entry: of `page_frame.ENTRIES`. command: which shows or does the same. has_editor: it makes styles
        with the nonce. values: of the template; `as_of` is the moment that they are of."""
        viewer = page_frame.Viewer(name=self.me["name"], role=self.role) if self.me else None
        found = page_frame.Frame(
            language=self.language,
            nonce=self.nonce,
            path=_own_path(self.request),
            entry=entry,
            viewer=viewer,
            state=page_frame.State(self.me.get("state") or "unknown"),
            needs_you=int(self.me.get("needs_you") or 0),
            as_of=values.pop("as_of", None),
            command=command,
            command_options=str(self.me.get("command_options") or ""),
            search=search,
            messages=(*self._take_messages(), *messages),
        )
        text = page_environment.render(self.environment, template, found, **values)
        headers = {"Content-Security-Policy": page_frame.content_security_policy(self.nonce, styles=has_editor)}
        return responses.HTMLResponse(text, status_code=status, headers=headers)

    def go_to(self, path: str, message: page_frame.Message | None = None) -> responses.Response:
        """To another page, after a change. path: on this host, with its query. message: at its head."""
        if message is not None:
            path = self.messages.add(path, message, self._key())
        return responses.RedirectResponse(form_body.local_path(path), status_code=303)

    def text(self, key: str, **values: object) -> str:
        return page_texts.Texts(self.language)(key, **values)

    def declared(self, text: str) -> str:
        """What a declaration has in English, in the visitor's language."""
        return declared_texts.translate(text, self.language)

    def _take_messages(self) -> tuple[page_frame.Message, ...]:
        return self.messages.take(self.query(page_messages.PARAMETER), self._key())

    def _key(self) -> str:
        """Whose messages they are."""
        return self.credentials.session or self.credentials.login or self.credentials.address


def read_credentials(request: requests.Request) -> api_client.VisitorCredentials:
    """What nginx named, and what is in the visitor's cookies; nothing of it is believed here."""
    return api_client.VisitorCredentials(
        session=_plain(request.cookies.get(SESSION_COOKIE, ""))[:_LONGEST_COOKIE],
        login=_plain(request.cookies.get(LOGIN_COOKIE, ""))[:_LONGEST_COOKIE],
        host=request.url.hostname or "",
        address=request.headers.get("x-real-ip", ""),
        agent=_plain(request.headers.get("user-agent", ""))[:_LONGEST_AGENT],
    )


def _plain(text: str) -> str:
    return "".join(one for one in text if one.isprintable() and one.isascii())


def draw_nonce() -> str:
    return secrets.token_urlsafe(18)


def _own_path(request: requests.Request) -> str:
    query = [(name, value) for name, value in request.query_params.multi_items() if name != page_messages.PARAMETER]
    return request.url.path + (f"?{urllib.parse.urlencode(query)}" if query else "")
