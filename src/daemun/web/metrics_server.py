"""The listener of `metrics`, which follows the setting. What it needs is imported when the setting is there."""

import asyncio
import collections.abc
import contextlib
import functools
import socket
import typing

from daemun import causes
from daemun.control import damage_report
from daemun.core import model
from daemun.core.options import metrics_option

if typing.TYPE_CHECKING:
    import uvicorn

    from daemun.web import metrics_families

RETRY_S = 15.0
BACKLOG = 64
_KEY = "metrics"


class MetricsServer:
    """find_numbers: called on the event loop. use_totals: blocking. damage: where is reported that it cannot listen."""

    def __init__(
        self,
        find_numbers: collections.abc.Callable[[], "collections.abc.Awaitable[metrics_families.GateNumbers]"],
        use_totals: "metrics_families.UseTotals",
        damage: damage_report.DamageReport,
    ) -> None:
        self._find_numbers = find_numbers
        self._use_totals = use_totals
        self._damage = damage
        self._metrics: metrics_option.Metrics | None = None
        self._moved = asyncio.Event()

    def configure(self, found: metrics_option.Metrics | None) -> None:
        """Follow the setting, in each round."""
        if (found and found.listen) != (self._metrics and self._metrics.listen):
            self._moved.set()
        self._metrics = found

    async def run(self) -> None:
        """Never returns."""
        while True:
            self._moved.clear()
            metrics = self._metrics
            if metrics is None:
                self._damage.clear(_KEY)
                await self._moved.wait()
                continue
            try:
                listener = listen(metrics.listen)
            except OSError as error:
                self._note_failure(metrics.listen, error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._moved.wait()
                continue
            self._damage.clear(_KEY)
            with listener:
                await self._serve(listener, metrics)

    async def _serve(self, listener: socket.socket, began: metrics_option.Metrics) -> None:
        """Until it is to listen elsewhere."""
        server = await asyncio.to_thread(self._make_server, began)
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            if server.started:  # see `socket_server`
                await server.shutdown(sockets=[listener])
            raise

    def _make_server(self, began: metrics_option.Metrics) -> "uvicorn.Server":
        from daemun.web import asgi, metrics_app  # noqa: PLC0415

        find_token = functools.partial(self._find_token, began)
        app = metrics_app.create_app(find_token, self._find_numbers, self._use_totals)
        return asgi.make_server(app, backlog=BACKLOG, until=self._moved, is_bounded=True)

    def _find_token(self, began: metrics_option.Metrics) -> model.Secret | None:
        """Of the address that is served, also while another one is set already, which may need none."""
        now = self._metrics
        return now.token if now is not None and now.listen == began.listen else began.token

    def _note_failure(self, address: model.Address, error: OSError) -> None:
        self._damage.note(
            _KEY,
            f"cannot listen on {address} for metrics: {causes.describe(error)}; free that port, or write another "
            "`metrics: {listen: ...}`",
            severity=model.Severity.ERROR,
        )


def listen(address: model.Address) -> socket.socket:
    """Raises: OSError."""
    if address.host is None and socket.has_dualstack_ipv6():
        every = ("::", address.port)
        return socket.create_server(every, family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    host = address.host or "0.0.0.0"  # noqa: S104 as written, with a token
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, address.port), family=family, backlog=BACKLOG)
