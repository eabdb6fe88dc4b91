"""The API in the daemon, as the pages request it: each time with what the visitor brought to say who it is.

The pages have no rights of their own, so whoever gets into this process can do no more than its visitors can.
"""

import collections.abc
import contextlib
import dataclasses
import json
import typing
import urllib.parse

import aiohttp

from daemun.core.access import operator_sessions

PREFIX = "/api/v1"
ANSWER_S = 310.0
"""More than a change may take until nginx has it."""
_LARGEST_ANSWER_BYTES = 32 << 20

Json = typing.Any


class ApiError(Exception):
    """status: of the answer; 503: the daemon does not answer. message: for people. values: all that the answer held."""

    def __init__(
        self, status: int, message: str, values: dict[str, Json] | None = None, *, retry_after: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.values = values or {}
        self.retry_after = retry_after

    @property
    def is_refusal(self) -> bool:
        """Whether the daemon refused just this, in words for whoever requested it: to be shown where it was. Not
        where the visitor is unknown or has another role, the daemon does not answer, or has a defect."""
        if self.status == 403:
            return bool(self.values) and "needs" not in self.values
        return self.status in {400, 404, 409, 413, 422, 429} or (self.status == 503 and bool(self.values))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VisitorCredentials:
    """session: of a link; of anything else that stands in the cookie, such as a token of the API, nothing is sent.
    login: of the sign-in, on `host`. address: the visitor's, as nginx named it."""

    session: str = dataclasses.field(default="", repr=False)
    login: str = dataclasses.field(default="", repr=False)
    host: str = ""
    address: str = ""
    agent: str = ""

    def headers(self) -> dict[str, str]:
        found = {"Host": self.host or "daemun", "X-Real-IP": self.address, "User-Agent": self.agent}
        if self.session.startswith(operator_sessions.PREFIX):
            found["Authorization"] = f"Bearer {self.session}"
        if self.login:
            found["X-Daemun-Login"] = self.login
        return found


class ApiClient:
    """One for the process. socket_path: where the daemon listens, relative to the folder that the process lives in."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str,
        credentials: VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        body: collections.abc.Mapping[str, Json] | None = None,
    ) -> Json:
        """The JSON of the answer. path: below /api/v1, its parts quoted (`join`). Raises: ApiError."""
        async with self._answered(method, path, credentials, query=query, body=body) as answer:
            found = await _read(answer)
            if answer.status >= 400:
                raise _error(answer, found)
            return found

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        credentials: VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        last_event: str = "",
    ) -> collections.abc.AsyncIterator[collections.abc.AsyncIterator[bytes]]:
        """Server-sent events as they come. Raises: ApiError."""
        more = {"Last-Event-ID": last_event} if last_event else {}
        async with self._answered("GET", path, credentials, query=query, is_lasting=True, more=more) as answer:
            if answer.status >= 400:
                raise _error(answer, await _read(answer))
            yield answer.content.iter_any()

    @contextlib.asynccontextmanager
    async def _answered(
        self,
        method: str,
        path: str,
        credentials: VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        body: collections.abc.Mapping[str, Json] | None = None,
        is_lasting: bool = False,
        more: collections.abc.Mapping[str, str] | None = None,
    ) -> collections.abc.AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._opened().request(
                method,
                f"http://daemun{PREFIX}{path}",
                params=query,
                json=body,
                headers={**credentials.headers(), **(more or {})},
                timeout=aiohttp.ClientTimeout(total=None if is_lasting else ANSWER_S, sock_connect=5),
                allow_redirects=False,
            ) as answer:
                yield answer
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise ApiError(503, "the daemon does not answer; `daemun status` tells more") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(self._socket_path, limit=200)
            # Visitors' cookies are not its own, and what one of them got is for nobody else.
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def join(*parts: str) -> str:
    """A path of these parts, each quoted: ("sites", "a/b") is /sites/a%2Fb."""
    return "".join(f"/{urllib.parse.quote(part, safe='')}" for part in parts)


async def _read(answer: aiohttp.ClientResponse) -> Json:
    """All of it. Raises: ApiError where it is no JSON, or too long."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _LARGEST_ANSWER_BYTES:
            raise ApiError(502, "the daemon's answer is too long to be shown")
    try:
        return json.loads(content or b"null")
    except ValueError as error:
        if answer.status >= 400:
            return None
        raise ApiError(502, "the daemon's answer cannot be read; its log tells more") from error


def _error(answer: aiohttp.ClientResponse, found: Json) -> ApiError:
    values = found if isinstance(found, dict) else {}
    message = values.get("error")
    text = message if isinstance(message, str) else f"the daemon answered with {answer.status}"
    return ApiError(answer.status, text, values, retry_after=answer.headers.get("Retry-After", ""))
