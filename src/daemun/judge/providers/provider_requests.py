"""Requests to identity providers. Their answers are bounded in length and time, and nothing is followed elsewhere."""

import asyncio
import collections.abc
import contextlib
import json
import ssl
import typing
import urllib.parse

import aiohttp

from daemun import causes
from daemun.core.options import login_provider_form
from daemun.judge.providers.provider_error import ProviderError, ProviderFault

WITHIN_S = 20.0
"""For one request, however slowly the other side reads or answers."""
MOST_BYTES = 1 << 20
_AT_ONCE = 20
"""Connections to one host: a provider that hangs is in no other one's way."""
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "daemun"}

Answer = tuple[int, typing.Any]
"""Status, and what the JSON holds; None: it is no JSON."""


class ProviderClient:
    """Used on one event loop. trust: what certificates of providers are verified with."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None
        self._running = 0
        self._is_retired = False

    async def get(self, url: str, headers: collections.abc.Mapping[str, str] | None = None) -> Answer:
        """Raises: ProviderError when there is no answer within the bounds."""
        return await self._send("GET", url, headers or {}, None)

    async def post(
        self, url: str, form: dict[str, str], headers: collections.abc.Mapping[str, str] | None = None
    ) -> Answer:
        """As `get`."""
        return await self._send("POST", url, headers or {}, form)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def retire(self) -> None:
        """Close it once nothing runs, for good: who is in the middle of a sign-in still ends it."""
        self._is_retired = True
        if not self._running:
            await self.close()

    async def _send(
        self, method: str, url: str, headers: collections.abc.Mapping[str, str], form: dict[str, str] | None
    ) -> Answer:
        self._running += 1
        try:
            return await self._send_once(method, url, headers, form)
        finally:
            self._running -= 1
            if self._is_retired and not self._running:
                await self.close()

    async def _send_once(
        self, method: str, url: str, headers: collections.abc.Mapping[str, str], form: dict[str, str] | None
    ) -> Answer:
        host = urllib.parse.urlsplit(url).hostname
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust, limit=0, limit_per_host=_AT_ONCE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                headers=_HEADERS,
            )
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                self._session.request(method, url, data=form, headers=headers, allow_redirects=False) as response,
            ):
                if 300 <= response.status < 400:
                    raise ProviderError(ProviderFault.AWAY, f"{host} redirects, which is not followed")
                content = await _read(response, host)
                return response.status, _parse(content)
        except TimeoutError:
            raise ProviderError(ProviderFault.AWAY, f"{host} did not answer within {WITHIN_S:.0f} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = causes.find_words(error) or "the connection broke, or what came is no HTTP"
            raise ProviderError(ProviderFault.AWAY, f"{host} does not answer: {cause}") from None


async def _read(response: aiohttp.ClientResponse, host: str | None) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ProviderError(ProviderFault.AWAY, f"{host} compresses its answer, which was not requested")
    content = b""
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MOST_BYTES:
            raise ProviderError(ProviderFault.AWAY, f"the answer of {host} is longer than {MOST_BYTES >> 20} MB")
    return content


def _parse(content: bytes) -> typing.Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(content)
    return None


def check_endpoint(url: object, issuer: str) -> str:
    """An address that a provider names for what belongs to it. Raises: ProviderError when nothing may be sent there."""
    parts = urllib.parse.urlsplit(issuer)
    is_local = parts.scheme == "http" and login_provider_form.is_loopback(parts.hostname or "")
    if isinstance(url, str) and len(url) <= 2000 and url.isascii() and url.isprintable():
        with contextlib.suppress(ValueError):
            found = urllib.parse.urlsplit(url)
            is_good = bool(found.hostname) and found.username is None and not found.fragment
            is_near = is_local and found.scheme == "http" and login_provider_form.is_loopback(found.hostname or "")
            if is_good and (found.scheme == "https" or is_near):
                return url
    raise ProviderError(ProviderFault.AWAY, "its discovery document names an address that is not https, or none")


def make_trust(roots: str = "") -> ssl.SSLContext:
    """roots: certificates of authorities in PEM form; "": the system's. Blocking, tens of milliseconds.

    Raises: OSError (ssl.SSLError is one) when these are none."""
    if roots:
        return ssl.create_default_context(cadata=roots)
    import certifi  # noqa: PLC0415 - only where the system has none

    paths = ssl.get_default_verify_paths()
    return ssl.create_default_context(cafile=None if paths.cafile or paths.capath else certifi.where())
