"""`acme.hook`: the owner's command after each new certificate, so that other programs learn of it.

    certs/NAME/hook.json   the certificate that the hook still has to run for, or why it failed

That it is due is stored before the certificate is, and until the hook has ended, so one that a stop or a kill
interrupted runs again with the next start. It never holds up an order, and its failure undoes nothing.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import signal

import structlog

from daemun import causes, errors
from daemun.certs.served import bundle, certificate_records, key_types, live_folder
from daemun.control import damaged_keys, ports
from daemun.core import layout
from daemun.core.texts import names

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_S = 600.0
GRACE_S = 3.0
"""How long the hook may take to end after SIGTERM, before SIGKILL."""
MOST_OUTPUT_BYTES = 8 << 10
"""Of what it prints, the end is logged: there is why it failed."""

_CHUNK_BYTES = 64 << 10
"""As much as a pipe holds. Source: pipe(7)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingHook:
    """leaf: digest of the certificate. hosts: it was ordered for. failure: in words; None: the hook is due."""

    leaf: str
    hosts: tuple[str, ...]
    failure: str | None = None


class DeployHook:
    """Not thread-safe: one per event loop, but for `note`. `run` must be running for anything to happen.

    longest_s: how long one run of the hook may take.
    """

    def __init__(self, store: ports.Store, paths: layout.Layout, *, longest_s: float = LONGEST_S) -> None:
        self._store = store
        self._live = pathlib.Path(paths.live)
        self._longest_s = longest_s
        self._hook: tuple[str, ...] = ()
        self._due: collections.deque[str] = collections.deque()
        self._failures: dict[str, str] = {}
        self._is_notified = asyncio.Event()

    def configure(self, hook: tuple[str, ...]) -> None:
        """A program by its absolute path, and its arguments; empty: none. What is due from before runs now."""
        self._hook = hook
        self._is_notified.set()

    def note(self, name: str, hosts: tuple[str, ...], new: bundle.Bundle) -> None:
        """Store that the hook is due, before the certificate is stored. Blocking."""
        if self._hook:
            _write(self._store, name, PendingHook(leaf=new.fingerprint, hosts=hosts))

    def notify(self, name: str) -> None:
        """The certificate is in live/NAME: run the hook, after those that wait already."""
        self._failures.pop(name, None)
        if self._hook and name not in self._due:
            self._due.append(name)
            self._is_notified.set()

    def failure(self, name: str) -> str | None:
        """Why the last run for a certificate failed."""
        return self._failures.get(name)

    async def run(self) -> None:
        """Run the hook for what is due, one after the other, until cancelled; then the one that runs is ended."""
        for name, note in (await asyncio.to_thread(_read_all, self._store)).items():
            if note.failure is not None:
                self._failures[name] = note.failure
            elif name not in self._due:
                self._due.append(name)
        while True:
            self._is_notified.clear()
            while self._due and self._hook:
                await self._run_one(self._due[0])
                self._due.popleft()
            await self._is_notified.wait()

    async def _run_one(self, name: str) -> None:
        note = await asyncio.to_thread(_read, self._store, name)
        issued = await asyncio.to_thread(certificate_records.read_issued, self._store, name)
        if note is None or issued is None or note.leaf != issued.bundle.fingerprint:
            return  # the certificate never came into the store; its order goes on and is noted again
        host = note.hosts[0] if note.hosts else name
        log.info("the hook runs", host=host, command=self._hook[0])
        failure, output = await self._call(name, note.hosts)
        if failure is None:
            log.info("the hook ended well", host=host, output=output)
        else:
            self._failures[name] = failure
            log.warning(
                "the hook failed; the certificate is in use all the same", host=host, reason=failure, output=output
            )
        try:
            await asyncio.to_thread(_record, self._store, name, note, failure)
        except errors.DaemunError as error:  # it may run once more after a restart: no harm
            log.warning("the end of the hook could not be stored", host=host, error=str(error))

    async def _call(self, name: str, hosts: tuple[str, ...]) -> tuple[str | None, str]:
        """Returns: why it failed (None: it did not), and the end of what it printed."""
        with _collecting() as (written_to, output):
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._hook,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=written_to,
                    stderr=written_to,
                    env={**os.environ, **self._environment(name, hosts)},
                    cwd="/",
                    start_new_session=True,  # so that what it starts ends with it
                )
            except OSError as error:
                cause = causes.describe(error)
                return f'cannot run the hook "{self._hook[0]}": {cause}; correct `acme.hook`', ""
            try:
                async with asyncio.timeout(self._longest_s):
                    status = await process.wait()
            except TimeoutError:
                await _end(process)
                return f'the hook "{self._hook[0]}" took longer than {self._longest_s:g} s and was ended', output.text()
            except asyncio.CancelledError:
                await _end(process)
                raise
            how = f"ended with exit code {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
            failure = None if status == 0 else f'the hook "{self._hook[0]}" {how}; its output is in the log'
            return failure, output.text()

    def _environment(self, name: str, hosts: tuple[str, ...]) -> dict[str, str]:
        """RENEWED_*: as certbot calls them, so that its deploy hooks work unchanged
        (eff-certbot.readthedocs.io/en/stable/using.html#renewing-certificates)."""
        name = key_types.first_name(name)
        found = live_folder.read(self._live, name)
        if found is not None and found.missing(hosts[:1]):  # the first name of its site has another one
            name = names.slug(hosts[0])
        live, joined = str(self._live / name), " ".join(hosts)
        own = {"DAEMUN_NAME": name, "DAEMUN_HOSTS": joined, "DAEMUN_LIVE": live}
        return {**own, "RENEWED_LINEAGE": live, "RENEWED_DOMAINS": joined}


class _Output:
    """The end of what is printed into a pipe."""

    def __init__(self, read_from: int) -> None:
        self._read_from = read_from
        self._end = bytearray()

    def collect(self) -> None:
        """What is there now, at most a chunk: whoever prints without an end must not hold up the event loop."""
        with contextlib.suppress(BlockingIOError):
            self._end += os.read(self._read_from, _CHUNK_BYTES)
            del self._end[:-MOST_OUTPUT_BYTES]

    def text(self) -> str:
        self.collect()
        return self._end.decode(errors="replace").strip()


@contextlib.contextmanager
def _collecting() -> collections.abc.Iterator[tuple[int, _Output]]:
    """A pipe that never fills up. Not asyncio's: that one makes `wait` wait for what the hook left running in the
    background, too. Yields: the end to write to."""
    read_from, written_to = os.pipe()
    loop, output = asyncio.get_running_loop(), _Output(read_from)
    try:
        os.set_blocking(read_from, False)
        loop.add_reader(read_from, output.collect)
        yield written_to, output
    finally:
        loop.remove_reader(read_from)
        os.close(read_from)
        os.close(written_to)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it with all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await process.wait()
                break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


# --- the store -----------------------------------------------------------------------------------------------------


def _key(name: str) -> str:
    return f"certs/{name}/hook.json"


def _write(store: ports.Store, name: str, note: PendingHook) -> None:
    value = {"leaf": note.leaf, "hosts": note.hosts, "failure": note.failure}
    store.write(_key(name), json.dumps(value).encode())


def _record(store: ports.Store, name: str, note: PendingHook, failure: str | None) -> None:
    if _read(store, name) != note:
        return  # a newer certificate came meanwhile: the hook is due again
    if failure is None:
        store.delete(_key(name))
    else:
        _write(store, name, dataclasses.replace(note, failure=failure))


def _read_all(store: ports.Store) -> dict[str, PendingHook]:
    names = [key.split("/")[1] for key in store.list("certs") if key.endswith("/hook.json")]
    return {name: note for name in names if (note := _read(store, name)) is not None}


def _read(store: ports.Store, name: str) -> PendingHook | None:
    follows = "the hook is not run for this certificate, run it by hand"
    return damaged_keys.read(store, _key(name), _parse, follows=follows)


def _parse(content: bytes) -> PendingHook:
    value = json.loads(content)
    failure = value["failure"]
    return PendingHook(leaf=str(value["leaf"]), hosts=tuple(map(str, value["hosts"])), failure=failure and str(failure))
