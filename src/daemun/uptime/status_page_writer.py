"""Writes the public status page: files for nginx, which serves them whether daemun runs or not.

Anew when something changed, else each minute, each file in one step.
"""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib
import shutil

import structlog

from daemun import causes, ticks
from daemun.control import ports
from daemun.core import layout, model
from daemun.core.options import status_page_option
from daemun.core.render import status_page_locations
from daemun.core.uptime import status_report
from daemun.errors import DaemunError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY_S = 60.0
LEAST_PAUSE_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusInput:
    """page: None: there is none. is_watched: the states of sites are those of now."""

    page: status_page_option.StatusPage | None
    statuses: tuple[model.SiteStatus, ...] = ()
    is_watched: bool = False


class StatusPageWriter:
    """Not thread-safe: one per event loop. look: None: nothing is known yet."""

    def __init__(
        self,
        paths: layout.Layout,
        clock: ports.Clock,
        look: collections.abc.Callable[[], StatusInput | None],
        *,
        zone: datetime.tzinfo | None = None,
    ) -> None:
        self._layout = paths
        self._folder = pathlib.Path(paths.status_page)
        self._clock = clock
        self._look = look
        self._zone = zone
        self._wake = asyncio.Event()
        self._failure: str | None = None
        self._is_removed = False

    def wake(self) -> None:
        """A site came into another condition."""
        self._wake.set()

    def find_state(self) -> status_report.PageState:
        """What there is of the page. Blocking, some microseconds."""
        seen = self._look()
        made_at = None
        with contextlib.suppress(OSError):
            changed_s = (self._folder / status_page_locations.DATA.removeprefix("/")).stat().st_mtime
            made_at = datetime.datetime.fromtimestamp(changed_s, datetime.UTC)
        return status_report.PageState(page=None if seen is None else seen.page, made_at=made_at, failure=self._failure)

    async def run(self) -> None:
        """Never returns."""
        while True:
            self._wake.clear()
            seen = self._look()
            began_s = asyncio.get_running_loop().time()
            if seen is not None:
                await self.follow(seen)
            await ticks.sleep(LEAST_PAUSE_S)
            while asyncio.get_running_loop().time() - began_s < EVERY_S and not _is_changed(seen, self._look()):
                with contextlib.suppress(TimeoutError):
                    async with ticks.timeout(LEAST_PAUSE_S):
                        await self._wake.wait()
                        break

    async def follow(self, seen: StatusInput) -> None:
        """Write the page, or remove what is left of one."""
        try:
            if seen.page is not None:
                self._is_removed = False
                await asyncio.to_thread(self._write, seen.page, seen)
            elif not self._is_removed:
                await asyncio.to_thread(self._remove)
                self._is_removed = True
        except (DaemunError, OSError) as error:
            words = causes.describe(error) if isinstance(error, OSError) else str(error)
            if words != self._failure:
                log.warning("the status page cannot be written now", path=str(self._folder), reason=words)
            self._failure = words
        else:
            self._failure = None

    def _write(self, page: status_page_option.StatusPage, seen: StatusInput) -> None:
        """In a thread. What was written before a restart stays until the sites were looked at again."""
        if not seen.is_watched and (self._folder / "status.json").exists():
            return
        from daemun.uptime import status_page_files, uptime_reader  # noqa: PLC0415 - most gates have no page

        now = self._clock.now().astimezone(self._zone)
        chosen = status_report.choose(page, seen.statuses)
        hosts = [one.host for _, sites in chosen for one in sites]
        uptime = uptime_reader.read(self._layout, now.date(), page.days, sites=hosts)
        report = status_report.make(page, chosen, uptime, seen.statuses, now)
        files = status_page_files.render(report, page.language)
        self._folder.mkdir(mode=0o755, exist_ok=True)
        self._folder.chmod(0o755)
        for name, content in files.items():
            _replace(self._folder / name, content)

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)


def _replace(path: pathlib.Path, content: bytes) -> None:
    """In one step, and not when it is the same already."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    draft = path.with_name(f".~{path.name}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(content)
    draft.replace(path)


def _is_changed(before: StatusInput | None, after: StatusInput | None) -> bool:
    if before is None or after is None:
        return before is not after
    is_other = before.page != after.page or before.is_watched is not after.is_watched
    return is_other or before.statuses is not after.statuses
