"""GET /metrics: who may read, and the answer, made in a thread. One at a time, for at most a fifth of the time."""

import asyncio
import collections.abc
import functools
import hmac
import ipaddress
import time
import urllib.parse

import structlog
from starlette import applications, requests, responses, routing

from daemun import garbage, secret
from daemun.core import model
from daemun.errors import ConfigError
from daemun.web import metrics_families

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_REST = 4
"""So many times as long as an answer took, the next one waits."""
_LARGE_BYTES = 1 << 20


def create_app(
    find_token: collections.abc.Callable[[], model.Secret | None],
    find_numbers: collections.abc.Callable[[], collections.abc.Awaitable[metrics_families.GateNumbers]],
    use_totals: metrics_families.UseTotals,
) -> applications.Starlette:
    """find_token: None: whoever can connect may read. find_numbers: called on the event loop."""
    handler = _Handler(find_token, find_numbers, use_totals)
    return applications.Starlette(routes=[routing.Route("/metrics", handler.answer, methods=["GET"])])


class _Handler:
    def __init__(
        self,
        find_token: collections.abc.Callable[[], model.Secret | None],
        find_numbers: collections.abc.Callable[[], collections.abc.Awaitable[metrics_families.GateNumbers]],
        use_totals: metrics_families.UseTotals,
    ) -> None:
        self._find_token = find_token
        self._find_numbers = find_numbers
        self._use_totals = use_totals
        self._lock = asyncio.Lock()
        self._next_s = 0.0
        self._failure: str | None = None

    async def answer(self, request: requests.Request) -> responses.Response:
        refusal = await self._find_refusal(request)
        if refusal is not None:
            return refusal
        encoder, kind = metrics_families.choose_encoder(request.headers.get("accept", ""))
        async with self._lock:
            await asyncio.sleep(max(0.0, self._next_s - time.monotonic()))
            began_s = time.monotonic()
            use = functools.partial(metrics_families.encode, encoder, await self._find_numbers())
            body = await asyncio.to_thread(self._use_totals, use)
            ended_s = time.monotonic()
            self._next_s = ended_s + _REST * (ended_s - began_s)
        if len(body) > _LARGE_BYTES:
            garbage.give_back()
        return _answer(200, body, kind)

    async def _find_refusal(self, request: requests.Request) -> responses.Response | None:
        token = self._find_token()
        if token is None:
            if is_named_by_address(request.headers.get("host", "")):
                return None
            return _answer(403, b"read this by an address, or by localhost, or set metrics.token\n")
        try:
            wanted = await asyncio.to_thread(secret.read, token)
            self._failure = None
        except ConfigError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                log.warning("cannot read the token of the metrics", reason=self._failure)
            return _answer(503, b"the token cannot be read; the log of daemun has why\n")
        if is_authorised(request.headers.get("authorization", ""), wanted):
            return None
        return _answer(401, b"expected the token of metrics.token\n", **{"WWW-Authenticate": 'Bearer realm="daemun"'})


def is_authorised(header: str, token: str) -> bool:
    """Takes as long for every wrong token of a length."""
    scheme, _, sent = header.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode("latin-1", "replace"), token.encode())


def is_named_by_address(host: str) -> bool:
    """Whether a request is for an address or localhost. A page in a browser of this machine can let a name of its own
    lead here (DNS rebinding), and would read the answer."""
    try:
        name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _answer(status: int, body: bytes, kind: str = "text/plain; charset=utf-8", **headers: str) -> responses.Response:
    fixed = {"Connection": "close", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return responses.Response(
        body, status_code=status, media_type=None, headers={"Content-Type": kind, **fixed, **headers}
    )
