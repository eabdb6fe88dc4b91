"""One check of an endpoint. Slow to import (aiohttp), so only `health_checks` does, where something is checked."""

import asyncio
import contextlib
import ssl

import aiohttp
import yarl

from daemun import causes, regular_files
from daemun.core import model
from daemun.discovery import check_results

_MAX_HEADER_BYTES = 65_536
"""More than nginx takes: whether headers are too long is not what a check is for."""


class Clients:
    """One client for each way to verify certificates: making its context takes some 20 ms."""

    def __init__(self) -> None:
        self._clients: dict[model.UpstreamTls | None, aiohttp.ClientSession] = {}
        self._stack = contextlib.AsyncExitStack()
        self._making = asyncio.Lock()

    async def __aenter__(self) -> "Clients":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def find(self, tls: model.UpstreamTls | None) -> aiohttp.ClientSession:
        """Raises: OSError when the CA file cannot be read."""
        async with self._making:
            if tls not in self._clients:
                context = await asyncio.to_thread(_make_context, tls)
                # A kept connection would not show whether new ones are accepted.
                connector = aiohttp.TCPConnector(ssl=context, force_close=True, limit=0)
                client = aiohttp.ClientSession(
                    connector=connector,
                    timeout=aiohttp.ClientTimeout(total=None),  # each check has its own
                    cookie_jar=aiohttp.DummyCookieJar(),
                    max_line_size=_MAX_HEADER_BYTES,
                    max_field_size=_MAX_HEADER_BYTES,
                )
                self._clients[tls] = await self._stack.enter_async_context(client)
            return self._clients[tls]


def _make_context(tls: model.UpstreamTls | None) -> ssl.SSLContext:
    roots = tls.ca_file if tls is not None else None
    if roots is not None:
        regular_files.check(roots)
    context = ssl.create_default_context(cafile=roots)
    if tls is None or not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def check_endpoint(subject: check_results.CheckedEndpoint, clients: Clients) -> str | None:
    """One check. Returns: why it failed, in words; None when the endpoint is well."""
    check = subject.check.health
    try:
        async with asyncio.timeout(check.timeout_s):
            if check.path is None:
                await _connect(subject)
                return None
            status = await _get(subject, check.path, clients)
    except TimeoutError:
        return f"no answer within {check.timeout_s:g} s"
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return causes.find_words(error) or str(error) or type(error).__name__
    is_good = any(low <= status <= high for low, high in check.statuses)
    return None if is_good else f"status {status}"


async def _connect(subject: check_results.CheckedEndpoint) -> None:
    _, writer = await asyncio.open_connection(str(subject.address), subject.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _get(subject: check_results.CheckedEndpoint, path: str, clients: Clients) -> int:
    check = subject.check
    client = await clients.find(check.tls)
    headers = {"User-Agent": "daemun-health", "Host": check.host or str(subject)}
    url = yarl.URL(f"{'https' if check.tls is not None else 'http'}://{subject}{path}", encoded=True)
    # The body is not read: closing the connection ends it, however long it is.
    async with client.get(url, headers=headers, server_hostname=check.server_name, allow_redirects=False) as answer:
        return answer.status
