"""Which worker runs which generation. nginx does not show it: a worker only knows that it is to go.

So daemun writes down who worked when it saw a generation confirmed, and what was listened on, in a file that the next
daemun reads. One that it has not seen (a worker that nginx started again, a reload by hand, an nginx of an older
daemun) is placed by when it started.
"""

import bisect
import collections.abc
import contextlib
import dataclasses
import json
import pathlib
import threading

from daemun import regular_files
from daemun.core import layout, model
from daemun.core.plan import listeners

CLOSE_TICKS = 10
"""The workers of one reload start one after another, well within so many clock ticks (of 10 ms) of the one before."""

Key = tuple[int, int]
"""Process number and start, as in `model.OldWorker`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGenerations:
    """workers: the generation of each; None: not known. ports: what one of them listened on, at any time."""

    workers: collections.abc.Mapping[Key, int | None]
    ports: frozenset[int]


class Register:
    """The written register of one state directory. All methods block, and may be called from any thread."""

    def __init__(self, paths: layout.Layout) -> None:
        self._path = pathlib.Path(paths.nginx_workers)
        self._lock = threading.Lock()
        self._seen: WorkerGenerations | None = None

    def read(self) -> WorkerGenerations:
        """Empty when nothing was ever written, or what was cannot be read: then the times of starts decide."""
        with self._lock:
            if self._seen is None:
                self._seen = _read(self._path)
            return self._seen

    def write(
        self,
        workers: collections.abc.Mapping[Key, int | None],
        ports: frozenset[int],
        *,
        alive: collections.abc.Callable[[Key], bool],
    ) -> None:
        """Add workers that were not known, and forget those that are gone. A full disk may lose it for the next daemun,
        not for this one."""
        known = self.read()
        kept = {key: number for key, number in known.workers.items() if alive(key)}
        seen = WorkerGenerations(workers={**workers, **kept}, ports=ports | (known.ports if kept else frozenset()))
        with self._lock:
            self._seen = seen
            with contextlib.suppress(OSError):
                draft = self._path.with_suffix(".new")
                draft.write_text(json.dumps(_to_json(seen)), encoding="ascii")
                draft.replace(self._path)


def group(
    old: collections.abc.Collection[model.OldWorker], seen: WorkerGenerations
) -> list[tuple[int | None, tuple[model.OldWorker, ...]]]:
    """The workers by generation, each oldest first, and so the generations. Pure.

    One that was not seen runs what was the newest when it started. With nothing to decide by, those that started
    together are one generation.
    """
    groups: dict[tuple[int | None, int], list[model.OldWorker]] = {}
    starts = sorted((started, number) for (_, started), number in seen.workers.items() if number is not None)
    cluster = 0
    latest: int | None = None
    for worker in sorted(old, key=lambda one: (one.started, one.pid)):
        key = (worker.pid, worker.started)
        number = seen.workers[key] if key in seen.workers else _find_newest(starts, worker.started)
        if number is None:
            cluster += latest is not None and worker.started - latest > CLOSE_TICKS
            latest = worker.started
        groups.setdefault((number, cluster if number is None else 0), []).append(worker)
    return [(number, tuple(workers)) for (number, _), workers in groups.items()]


def _find_newest(starts: list[tuple[int, int]], started: int) -> int | None:
    """starts: when a worker of which generation started, sorted."""
    before = bisect.bisect_right(starts, started, key=lambda one: one[0])
    return max((number for _, number in starts[:before]), default=None)


def find_ports(files: collections.abc.Mapping[str, bytes]) -> frozenset[int]:
    """The ports that a tree listens on. Pure."""
    # The search by bytes is what keeps this quick: of many sites, hardly any has a `listen` of its own.
    written = (one for content in files.values() if b"listen " in content for one in listeners.addresses(content))
    ports = (address.rpartition(":")[2] for address in written if not address.startswith("unix:"))
    return frozenset(int(port) for port in ports if port.isdecimal())


def _read(path: pathlib.Path) -> WorkerGenerations:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(regular_files.read(path))
        workers = {(int(pid), int(started)): number for pid, started, number in kept["workers"]}
        if all(number is None or isinstance(number, int) for number in workers.values()):
            return WorkerGenerations(workers=workers, ports=frozenset(map(int, kept["ports"])))
    return WorkerGenerations(workers={}, ports=frozenset())


def _to_json(seen: WorkerGenerations) -> dict[str, object]:
    return {
        "ports": sorted(seen.ports),
        "workers": [[pid, started, number] for (pid, started), number in sorted(seen.workers.items())],
    }
