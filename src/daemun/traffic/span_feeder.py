"""The task that makes spans of the requests which nginx logged for that, while `tracing` is set.

What was logged before daemun reads it for the first time is left out, and so is what there is no room for: traces are a
share of the requests in any case, and nothing else waits for them.
"""

import asyncio
import collections.abc
import contextlib
import os
import pathlib
import threading
import time
import typing

import structlog

import daemun
from daemun.control import damage_report
from daemun.core import layout
from daemun.core.options import tracing_option
from daemun.core.tracing import request_spans, traced_request
from daemun.traffic import traffic_files

if typing.TYPE_CHECKING:
    from daemun.traffic import span_exporter

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 1.0
REOPENED_EVERY_S = 30.0
_READ_BYTES = 4 << 20
"""At once."""
_MOST_BYTES = 2 * traffic_files.MOST_BYTES
"""Of lines on the disk."""
_KEY = "tracing"


class SpanFeeder:
    """reopen: lets nginx open its logs anew. damage: where is reported that spans cannot be sent."""

    def __init__(
        self,
        paths: layout.Layout,
        damage: damage_report.DamageReport,
        *,
        reopen: collections.abc.Callable[[], collections.abc.Awaitable[None]],
    ) -> None:
        self._layout = paths
        self._damage = damage
        self._reopen = reopen
        self._tracing: tracing_option.Tracing | None = None
        self._is_known = False
        self._changed = asyncio.Event()
        self._lock = threading.Lock()
        self._is_closed = False
        self._files: traffic_files.TrafficFiles | None = None
        self._exporter: span_exporter.SpanExporter | None = None
        self._began: tracing_option.Tracing | None = None
        self._reopened_s = float("-inf")

    def configure(self, found: tracing_option.Tracing | None) -> None:
        """Follow the setting, in each round. Before the first call nothing is done."""
        if found != self._tracing or not self._is_known:
            self._tracing, self._is_known = found, True
            self._changed.set()

    async def run(self) -> None:
        """Never returns."""
        try:
            while True:
                self._changed.clear()
                tracing = self._tracing
                if tracing is None:
                    await asyncio.to_thread(self._finish)
                    await self._changed.wait()
                    continue
                if await asyncio.to_thread(self._step, tracing):
                    await self._reopen()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_S):
                        await self._changed.wait()
        finally:
            await asyncio.to_thread(self._close)

    def _step(self, tracing: tracing_option.Tracing) -> bool:
        """Returns: whether nginx must open its logs anew."""
        with self._lock:
            if self._is_closed:  # a step that was about to begin when the task ended
                return False
            try:
                return self._work(tracing)
            except OSError as error:
                log.debug("cannot read the requests to trace", reason=str(error))
                return False

    def _work(self, tracing: tracing_option.Tracing) -> bool:
        files = self._files
        if files is None:
            files = self._files = traffic_files.TrafficFiles(pathlib.Path(self._layout.logs), name=layout.SPANS_LOG)
            files.skip()
        exporter = self._follow(tracing)
        for lines in files.read(_READ_BYTES):
            for line in lines.splitlines():
                found = traced_request.parse(line)
                if found is not None:
                    exporter.add(request_spans.make(found, run_folder=self._layout.run, has_query=tracing.query))
        files.remove_settled(time.time())
        files.leave_out(_MOST_BYTES)
        if not files.is_due() or time.monotonic() - self._reopened_s < REOPENED_EVERY_S:
            return False
        files.rename()
        self._reopened_s = time.monotonic()
        return True

    def _follow(self, tracing: tracing_option.Tracing) -> "span_exporter.SpanExporter":
        """The exporter of these settings."""
        from daemun.traffic import span_exporter  # noqa: PLC0415 - slow to import, and needed by few

        if self._exporter is None or self._began != tracing:
            if self._exporter is not None:
                self._exporter.close()
            self._damage.clear(_KEY)  # it was of the earlier settings
            self._exporter = span_exporter.SpanExporter(
                tracing, version=daemun.__version__, note=lambda cause: self._note(tracing, cause)
            )
            self._began = tracing
        return self._exporter

    def _note(self, tracing: tracing_option.Tracing, cause: str | None) -> None:
        if tracing != self._tracing:
            return
        if cause is None:
            self._damage.clear(_KEY)
            return
        self._damage.note(
            _KEY,
            f"cannot send traces to {tracing.url}: {cause}; they are lost until it takes them. Start the collector, or "
            "correct `tracing: {endpoint: ...}`",
        )

    def _finish(self) -> None:
        """Nothing is traced any more: leave no lines behind."""
        with self._lock:
            self._release()
            self._damage.clear(_KEY)
            folder = pathlib.Path(self._layout.logs)
            with contextlib.suppress(OSError):
                for name in os.listdir(folder):  # noqa: PTH208
                    if name == layout.SPANS_LOG or traffic_files.is_renamed(name, layout.SPANS_LOG):
                        (folder / name).unlink(missing_ok=True)

    def _close(self) -> None:
        """For good: a step in another thread has ended, and none follows."""
        with self._lock:
            self._is_closed = True
            self._release()

    def _release(self) -> None:
        if self._files is not None:
            self._files.close()
        if self._exporter is not None:
            self._exporter.close()
        self._files = self._exporter = self._began = None
