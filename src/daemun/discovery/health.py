"""Active checks: every endpoint that some service wants checked is asked in turn, once for all services alike.

At rest a check costs one connection and one request; nothing is done where nothing is checked. Intervals differ a
little from endpoint to endpoint, so that checks do not come in bursts.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import ssl
import zlib

import httpx

from daemun import causes
from daemun.core import model
from daemun.discovery import table as tables
from daemun.discovery import verdicts

MOST_AT_ONCE = 32
_JITTER = 0.1
_ORIGIN = model.Origin(source="discovery")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One endpoint and how it is asked. Weights do not matter here."""

    check: model.Check
    address: tables.Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Monitor:
    """on_change: called when the verdict on an endpoint changes. All methods are called on one event loop."""

    def __init__(
        self,
        on_change: collections.abc.Callable[[Subject], None],
        *,
        utc_now: collections.abc.Callable[[], datetime.datetime] = _utc_now,
    ) -> None:
        self._on_change = on_change
        self._utc_now = utc_now
        self._standings: dict[Subject, verdicts.Standing] = {}
        self._names: dict[Subject, str] = {}
        self._tasks: dict[Subject, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def follow(self, wanted: collections.abc.Mapping[Subject, str]) -> None:
        """Check exactly these from now on; what is known of those that stay is kept. Values: what people call them."""
        if wanted.keys() != self._names.keys():
            self._standings = {subject: self._standings.get(subject, verdicts.UNKNOWN) for subject in wanted}
            self._changed.set()
        self._names = dict(wanted)

    def standing(self, subject: Subject) -> verdicts.Standing:
        return self._standings.get(subject, verdicts.UNKNOWN)

    def problems(self) -> tuple[model.Problem, ...]:
        """Every endpoint that is taken out, sorted."""
        messages = sorted(self._message(subject) for subject, known in self._standings.items() if known.since)
        return tuple(
            model.Problem(origin=_ORIGIN, severity=model.Severity.WARNING, message=message) for message in messages
        )

    def _message(self, subject: Subject) -> str:
        known = self._standings[subject]
        assert known.since is not None
        name = self._names.get(subject, "")
        shown = f"{name} ({subject})" if name not in {"", str(subject)} else str(subject)
        asked = f"GET {subject.check.health.path}" if subject.check.health.path is not None else "connecting"
        return (
            f"server {shown} is not well since {known.since:%Y-%m-%d %H:%M:%S} UTC: {asked}: {known.reason}; "
            "it gets no requests until it is"
        )

    async def run(self) -> None:
        """Never ends by itself."""
        async with _Clients() as clients, asyncio.TaskGroup() as group:
            places = asyncio.Semaphore(MOST_AT_ONCE)
            self._tasks = {}
            self._changed.set()
            while True:
                await self._changed.wait()
                self._changed.clear()
                for subject in self._tasks.keys() - self._standings.keys():
                    self._tasks.pop(subject).cancel()
                for subject in self._standings.keys() - self._tasks.keys():
                    self._tasks[subject] = group.create_task(self._watch(subject, clients, places))

    async def _watch(self, subject: Subject, clients: "_Clients", places: asyncio.Semaphore) -> None:
        health = subject.check.health
        share = zlib.crc32(str(subject).encode()) / 0xFFFFFFFF
        pause_s = health.interval_s * (1 - _JITTER + 2 * _JITTER * share)
        while True:
            async with places:
                failure = await ask(subject, clients)
            before = self._standings.get(subject, verdicts.UNKNOWN)
            self._standings[subject] = verdicts.judge(before, failure, health, now=self._utc_now())
            if self._standings[subject].is_well != before.is_well:
                self._on_change(subject)
            await asyncio.sleep(pause_s)


# --- one check -------------------------------------------------------------------------------------------------


class _Clients:
    """One client for each way to verify certificates: making its context takes some 20 ms."""

    def __init__(self) -> None:
        self._clients: dict[model.UpstreamTls | None, httpx.AsyncClient] = {}
        self._stack = contextlib.AsyncExitStack()
        self._making = asyncio.Lock()

    async def __aenter__(self) -> "_Clients":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def find(self, tls: model.UpstreamTls | None) -> httpx.AsyncClient:
        """Raises: OSError when the CA file cannot be read."""
        async with self._making:
            if tls not in self._clients:
                verify = await asyncio.to_thread(_make_context, tls)
                # A kept connection would tell nothing about whether new ones are accepted.
                limits = httpx.Limits(max_keepalive_connections=0)
                client = httpx.AsyncClient(verify=verify, limits=limits, trust_env=False, timeout=None)  # noqa: S113
                self._clients[tls] = await self._stack.enter_async_context(client)
            return self._clients[tls]


def _make_context(tls: model.UpstreamTls | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file if tls is not None else None)
    if tls is None or not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def ask(subject: Subject, clients: _Clients) -> str | None:
    """One check. Returns: why it failed, in words; None when the endpoint is well."""
    health = subject.check.health
    try:
        async with asyncio.timeout(health.timeout_s):
            if health.path is None:
                await _connect(subject)
                return None
            status = await _get(subject, health.path, clients)
    except TimeoutError:
        return f"no answer within {health.timeout_s:g} s"
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        return causes.find_words(error) or str(error) or type(error).__name__
    is_good = any(low <= status <= high for low, high in health.statuses)
    return None if is_good else f"status {status}"


async def _connect(subject: Subject) -> None:
    _, writer = await asyncio.open_connection(str(subject.address), subject.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _get(subject: Subject, path: str, clients: _Clients) -> int:
    check = subject.check
    client = await clients.find(check.tls)
    headers = {"User-Agent": "daemun-health", "Host": check.host or str(subject)}
    extensions = {"sni_hostname": check.server_name} if check.server_name is not None else {}
    url = f"{'https' if check.tls is not None else 'http'}://{subject}{path}"
    # The body is not read: closing the connection ends it, however long it is.
    async with client.stream("GET", url, headers=headers, extensions=extensions) as answer:
        return answer.status_code
