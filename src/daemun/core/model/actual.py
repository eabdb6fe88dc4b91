"""What nginx does now, and the state of each site."""

import dataclasses
import datetime
import enum

from daemun.core.model.probe_results import StreamLook
from daemun.core.model.problem import Origin
from daemun.core.model.site import Site


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAccount:
    """user, group: names, for nginx's `user` directive. gid: the group that may read keys; uid: the user's number."""

    user: str
    group: str
    uid: int
    gid: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One nginx worker process. draining: it belongs to an old generation and only finishes its connections."""

    pid: int
    draining: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What nginx does now.

    pid: the master; None: not running. generation: the one its workers answer with; None: unknown or not running.
    files: the tree that `current` points to, relative path -> bytes; None: there is none yet.
    has_successor: another binary is to take over from the one that runs.
    """

    pid: int | None = None
    generation: int | None = None
    current_generation: int | None = None
    files: dict[str, bytes] | None = None
    workers: tuple[Worker, ...] = ()
    has_successor: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldWorker:
    """A worker that finishes its connections. started: clock ticks since the machine started (proc_pid_stat(5)), which
    with the number distinguishes it from a later process of the same number."""

    pid: int
    started: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldGeneration:
    """What is left of a generation that another one replaced. It takes no new connections.

    number: None: not known, for no daemun saw it start. age_s: since its workers started. workers: oldest first.
    sockets: open connections of clients; None: not counted, or this account may not know.
    memory_bytes: what its workers have, each page shared with others in part (PSS); is_estimate: this account may not
    know that, so it is their anonymous memory, in which shared pages count in full.
    """

    number: int | None
    age_s: float
    workers: tuple[OldWorker, ...]
    memory_bytes: int
    is_estimate: bool = False
    sockets: int | None = None


class SiteState(enum.Enum):
    """As in `status --json`. QUARANTINED: its last good version (or a 503 page) is served instead of what was wanted.

    nginx runs the others as they were wanted, and a visitor is not served: UNREACHABLE: no server answers, or no
    handshake comes about; WRONG_CERTIFICATE: visitors get one that they refuse; DEGRADED: some of it, or its
    certificate is not as wanted, which no visitor sees yet.
    WAITING: it lies over a site of containers (`core.site_overlays`), and none has it: visitors get a 503 page.
    """

    LIVE = "live"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    DISABLED = "disabled"
    UNREACHABLE = "unreachable"
    DEGRADED = "degraded"
    WRONG_CERTIFICATE = "wrong certificate"
    WAITING = "waiting"

    @property
    def words(self) -> str:
        """For people. The value is for programs, and never changes."""
        words = {SiteState.QUARANTINED: "held back", SiteState.WAITING: "waiting for its container"}
        return words.get(self, self.value)

    @property
    def is_at_rest(self) -> bool:
        """Whether it is as its owner wants it, and nobody has to do something."""
        return self in {SiteState.LIVE, SiteState.DISABLED, SiteState.WAITING}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """An entry of `streams`. listen: as written ("1883", "[::1]:53"). to: its servers. tls, hosts: as
    written, with the names that are passed on. state, reason, cure, since: as of `SiteStatus`. is_served: whether an
    earlier version stands in for it. look: what was seen of it from outside; None: nothing yet."""

    name: str
    origin: Origin
    protocol: str
    listen: tuple[str, ...]
    to: tuple[str, ...]
    tls: str | None
    hosts: tuple[str, ...]
    state: SiteState
    reason: str | None = None
    cure: str | None = None
    since: datetime.datetime | None = None
    is_served: bool = True
    look: StreamLook | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteStatus:
    """site: as desired. state, reason, cure: as in `status --json`. since: aware UTC, when it was first seen so; None:
    not known. has_page: visitors get a 503 page, for there is no version that could be served instead."""

    site: Site
    state: SiteState
    reason: str | None = None
    cure: str | None = None
    since: datetime.datetime | None = None
    has_page: bool = False
