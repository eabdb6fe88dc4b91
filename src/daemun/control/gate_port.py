"""Operations on the running gate: the contract between their callers (the web API, and the command line
behind it) and the one who answers (`control.gate`). Values only; their JSON form is `web.json_values`.
"""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.control import history_port
from daemun.core import model, render_environment, worker_generations
from daemun.core.access import banned_networks
from daemun.core.certificates import certificate_choice, on_demand_names
from daemun.core.fleet import node_states
from daemun.core.options import old_workers_option
from daemun.core.plan import change_plan


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateStatus:
    """What is live now, and what is wrong.

    version: daemun's own. pid: daemun's process.
    generation: the one nginx's workers answer with; None before the first one.
    nginx_version: "1.31.3". nginx_path: of its program. successor: another nginx that could take over from it.
    upgrade_error: why that one did not, when it was to. nginx_pid: the master; None: not running.
    reloads: since this daemun started.
    workers: of the current generation. draining_workers: of older ones, finishing their connections.
    certificates: of the enabled sites with TLS, distinguished by `CertificateStatus.host` (a site's main name).
    containers: those that request to be reached. pools: where the targets of their sites go now.
    config_path, state_dir: absolute. started_at: aware UTC, when this daemun started.
    answers: whether nginx's workers answered when they were last queried. applying_since: when the change that is under
    way was begun, aware UTC.
    bans: how many addresses and networks are refused on every site.
    waiting: requests that wait for a server now. waited: that ever did, since this daemun started.
    fleet: the nodes, as this one sees them; None: there is no fleet.
    """

    version: str
    pid: int
    generation: int | None
    nginx_version: str
    nginx_pid: int | None
    reloads: int
    workers: int
    draining_workers: int
    sites: tuple[model.SiteStatus, ...]
    certificates: tuple[model.CertificateStatus, ...]
    problems: tuple[model.Problem, ...]
    config_path: str
    state_dir: str
    started_at: datetime.datetime
    answers: bool = True
    applying_since: datetime.datetime | None = None
    waiting: int = 0
    waited: int = 0
    bans: int = 0
    streams: tuple[model.StreamStatus, ...] = ()
    containers: tuple[model.ContainerStatus, ...] = ()
    engines: tuple[model.EngineStatus, ...] = ()
    pools: tuple[model.Pool, ...] = ()
    nginx_path: str = ""
    successor: render_environment.Successor | None = None
    upgrade_error: str | None = None
    fleet: node_states.FleetStatus | None = None

    def of_site(self, host: str) -> "GateStatus":
        """The same without the other sites, their certificates and containers. Streams and all problems stay."""
        sites = tuple(item for item in self.sites if host in item.site.names)
        named = {certificate_choice.name_of(item.site) for item in sites}
        return dataclasses.replace(
            self,
            sites=sites,
            certificates=tuple(one for one in self.certificates if one.host == host or one.name in named),
            containers=tuple(one for one in self.containers if host in one.hosts),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldWorkersReport:
    """The generations of workers that others replaced, oldest first, with their sockets.

    limits: the budget. held: the change that waits for it. drains: the place in `old` of the one that is being drained.
    closed: how many connections of it were closed so far.
    """

    limits: old_workers_option.OldWorkersBudget
    old: tuple[model.OldGeneration, ...] = ()
    held: worker_generations.HeldReload | None = None
    drains: int | None = None
    closed: int = 0


ChangeKind = change_plan.ChangeKind
SiteChange = change_plan.SiteChange
StreamChange = change_plan.StreamChange


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What applying now would do.

    changes: sorted by host. streams: sorted by name. reload: whether nginx would reload (or start). steps: one line
    each, in order.
    problems: what of the sources would be refused or deserves a look. nodes: the living nodes of a fleet that follow.
    """

    changes: tuple[SiteChange, ...] = ()
    streams: tuple[StreamChange, ...] = ()
    reload: bool = False
    steps: tuple[str, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """How an apply ended.

    ok: everything the sources want is live. False: something was refused; `error` or `problems` have what.
    generation: the one that is live afterwards; None: none. reloaded: whether nginx was reloaded (or started).
    live_since: when this daemun let nginx load last; None: what a daemun before it loaded is live still.
    error: why the apply as a whole failed, and what is live instead; None when only single sites were refused.
    waits: what needs a reload is not live yet, and goes live by itself; nothing of that is refused.
    unread: the sources that could not be read; what they held last is live. nodes: of a fleet, beside this one, where
    it is live, too.
    """

    ok: bool
    generation: int | None
    reloaded: bool = False
    live_since: datetime.datetime | None = None
    changes: tuple[SiteChange, ...] = ()
    streams: tuple[StreamChange, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    error: str | None = None
    waits: worker_generations.HeldReload | None = None
    unread: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeReport:
    """Which nginx serves after an upgrade. version, path: of the one that serves now.

    ok: it is the one that would be started. former: the version of the one that it took over from; None: none did, for
    it served already, or the other one failed. error: why the other one did not take over. waits: it takes over by
    itself, once old workers are within their budget.
    """

    ok: bool
    version: str
    path: str
    former: str | None = None
    error: str | None = None
    waits: worker_generations.HeldReload | None = None


class GatePort(typing.Protocol):
    """The running gate.

    All methods are called on the event loop's thread. A cancelled `plan` or `apply` leaves the gate as it is or as it
    would have become; the loop goes on by itself.
    """

    def status(self, *, added: bool = True, host: str | None = None) -> GateStatus:
        """Never blocks: what was known at the last observation. added: with the certificates of names that were added
        to a site, of which there may be a hundred thousand. host: any name of a site: as `GateStatus.of_site`, in a
        part of the time where there are thousands."""
        ...

    async def look_at_nginx(self) -> None:
        """Query nginx's workers, for the next `status`. Takes seconds when they do not answer."""
        ...

    def look(self, host: str) -> model.SiteLook | None:
        """What visitors of a site were seen to receive; None: there is no such site."""
        ...

    async def probe(self, host: str | None) -> int:
        """Look at one site now, or at all, and wait: half a minute at most. Returns: how much was left."""
        ...

    async def look_at_old_workers(self) -> OldWorkersReport:
        """Looks now, which takes milliseconds, and more where very many connections are open."""
        ...

    async def plan(self, *, instead: collections.abc.Mapping[str, model.Snapshot] | None = None) -> PlanReport:
        """Read every source again and report what applying would do. Changes nothing. instead: of what these sources
        want, by their names."""
        ...

    async def apply(
        self,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> ApplyReport:
        """Read every source again and wait until all of it is live or refused, or has to wait (`waits`). Calls at the
        same time share one run that began after the last of them, so each sees its own change.

        seen: source -> the version of what the caller wants live. A run that read just that, and left nothing to be
        done, counts, whenever it began. caller: who requests it, for the history."""
        ...

    async def upgrade_nginx(self) -> UpgradeReport:
        """Let the nginx that would be started now take over from the one that serves, and wait until it does or failed,
        or has to wait (`waits`). No connection is lost. Raises: EnvironmentProblemError when there is none."""
        ...

    async def renew(self, host: str, *, force: bool = False) -> bool:
        """Order now the certificate of the site `host`, forgetting earlier failures. False: none such.

        force: also while the CA demands a wait. Raises: RetryableError: without it.
        """
        ...

    def domains(self) -> tuple[str, ...]:
        """The names that were added while the gate runs, sorted."""
        ...

    async def add_domain(self, host: str) -> on_demand_names.RefusedName | None:
        """Add a name to the site that takes them, and wait until it is served. None: it is."""
        ...

    async def remove_domain(self, host: str) -> bool:
        """Serve a name that was added no more. False: it was not."""
        ...

    def bans(self) -> tuple[banned_networks.Ban, ...]:
        """The addresses and networks that are refused on every site."""
        ...

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        """Who guessed passwords, and whom CrowdSec had refused, in the last day: the newest first, a bounded number.
        Some of them may come in again."""
        ...

    async def ban(self, address: str, seconds: int | None) -> banned_networks.Ban:
        """Refuse an address or a network; it is when this returns. seconds: None: for good. Raises: ConfigError."""
        ...

    async def unban(self, address: str) -> banned_networks.Ban:
        """Let it in again. Raises: ConfigError: it is not banned, or CrowdSec decided it."""
        ...

    async def test_alerts(self) -> tuple[model.SentAlert, ...]:
        """Send a test to every target of alerts, and wait: half a minute at most. Empty: there is none.

        Raises: ConfigError while the targets are not known."""
        ...

    async def diagnose(self, host: str | None) -> tuple[model.Finding, ...]:
        """Look at the gate and at every name that certificates are ordered for, or at one name, which need not be the
        gate's yet; takes seconds, or minutes where many names do not answer. Raises: ConfigError for no name."""
        ...

    def request_stop(self, *, keep_traffic: bool) -> None:
        """Request the end of the daemon, as SIGTERM does; returns at once. keep_traffic: nginx goes on serving."""
        ...
