"""The only place that builds concrete objects, for the daemon and for commands that work without one."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib
import signal
import socket
import sys
import tempfile
import typing

import structlog
from starlette import types

import daemun
from daemun import garbage
from daemun import settings as settings_
from daemun.alerts import teller
from daemun.certs import account as acme_account
from daemun.certs import clerk, ledger, manager
from daemun.certs.dns01 import service as dns_service
from daemun.certs.importing import adopt
from daemun.certs.preflight import late
from daemun.control import accounts_port, daemon, gate, gate_port, keeper, ports, quarantine, reconciler
from daemun.core import assemble, generations, merge, model, names, outcome, plan, validate_acme
from daemun.core import layout as layout_
from daemun.core.render import environment
from daemun.discovery import endpoints
from daemun.domains import asking, missed, registry
from daemun.errors import ConfigError, DaemunError, EnvironmentProblemError
from daemun.nginx import account as worker_account
from daemun.nginx import find, listening, machine, old_workers, process, reap, server, watch
from daemun.sources import environment as environment_source
from daemun.sources import remembered, yaml_file
from daemun.sources.docker import chosen, compatible, keep, place, surroundings
from daemun.store import file as file_store
from daemun.store import instance
from daemun.store import memory as memory_store
from daemun.waiting import lobby
from daemun.web import server as web_server

if typing.TYPE_CHECKING:
    from daemun.certs.dns01 import advice
    from daemun.certs.preflight import examiner

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOGS_CHECKED_EVERY_S = 30.0
UNUSED_RESOLVER = "127.0.0.1:53530"
"""Stands in rendered files for the address that the first `daemun up` will choose."""


class SystemClock:
    """Implements `control.ports.Clock`."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)


def find_nginx(settings: settings_.Settings) -> environment.Nginx:
    """Raises: EnvironmentProblemError that says what was looked at."""
    return find.find(str(settings.nginx) if settings.nginx else None)


# --- the daemon ------------------------------------------------------------------------------------------------


def check_can_start(settings: settings_.Settings) -> None:
    """A file, or containers that say what they wish, now or when an earlier daemon saw them; a file that was named and
    is gone is the daemon's to judge. Raises: ConfigError."""
    found = place.find_endpoint(os.environ, like_nginx_proxy=compatible.is_asked(os.environ))
    if settings.config_was_chosen or found is not None:
        return
    store = _existing_store(settings)
    if store is not None and keep.read_kept(store) is not None:
        return
    try:
        settings_.check_config_exists(settings)
    except ConfigError as error:
        cure = "containers with labels need none, where $DOCKER_HOST or /var/run/docker.sock leads to their engine"
        raise ConfigError(f"{error}; {cure}") from error


def run_daemon(settings: settings_.Settings) -> int:
    """Run until told to stop. Returns: the exit code. Raises: DaemunError when it cannot start."""
    garbage.seek()
    # Until the event loop listens to signals, being told to stop means that nothing was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout = settings.layout
    with instance.held_alone(pathlib.Path(layout.lock)):
        asyncio.run(_Daemon(settings, find_nginx(settings)).live())
    return 0


class _Daemon:
    """Everything that lives as long as the daemon, put together."""

    def __init__(self, settings: settings_.Settings, binary: environment.Nginx) -> None:
        self._settings = settings
        self._layout = settings.layout
        store = file_store.FileStore(pathlib.Path(self._layout.store))
        self._source = yaml_file.YamlFile(settings.config)
        known = remembered.recall(store, settings.config, self._source)
        current = known.globals if known and known.globals else model.Globals()
        account = worker_account.choose(_configured_user(self._source) or current.user)
        self._preflight = late.Late(lambda: _make_preflight(store))
        self._dns = dns_service.Dns(store, SystemClock(), lambda: self._certificates.specs)
        self._certificates = manager.Manager(
            store,
            self._layout,
            SystemClock(),
            worker_gid=account.gid if account else None,
            provers=self._dns.provers,
            examiner=self._preflight,
        )
        self._endpoints = endpoints.Discovery(store)
        self._nginx = server.Nginx(binary, self._layout, account)
        self._logs = current.logs
        self._rotate = asyncio.Event()
        self._machine = _Machine(binary=binary, layout=self._layout, account=account)
        file = environment_source.FileOrEnvironment(
            remembered.Remembering(self._source, store, settings.config),
            settings.config,
            os.environ,
            is_known=known is not None or settings.config_was_chosen,
        )
        self._containers = chosen.ChosenEngine(
            SystemClock(), store, environ=os.environ, traces=surroundings.read_traces()
        )
        self._domains = registry.Registry(store, self._certificates, SystemClock())
        self._asker = asking.Asker(self._domains)
        self._lobby = lobby.Lobby(self._endpoints.endpoints)
        self._compatible = compatible.Compatible(file, environ=os.environ, tell=self._containers.speak)
        self._keeper = keeper.Keeper(old_workers.OldWorkers(self._layout, self._nginx.workers), SystemClock())
        rounds = reconciler.Reconciler(
            sources=[self._compatible, self._containers],
            proxy=self._nginx,
            listening=listening.Listening(binary.path, self._layout),
            certificates=self._certificates,
            domains=self._domains,
            endpoints=self._endpoints,
            waiting_room=self._lobby,
            describe_environment=self._describe,
            admission=self._keeper,
            configure=self._configure,
            last_good={file.name: self._compatible.complete(known)} if known else {},
        )
        self._alerts = teller.Teller(
            store, SystemClock(), self._see, machine=socket.gethostname(), version=daemun.__version__
        )
        self._certificates.on_change = self._alerts.wake
        self._gate = gate.Gate(
            rounds=rounds,
            certificates=self._certificates,
            domains=self._domains,
            endpoints=self._endpoints,
            waiting_room=self._lobby,
            alerts=self._alerts,
            examiner=self._preflight,
            old_workers=self._keeper,
            observe=self._observe,
            identity=gate.Identity(
                version=daemun.__version__,
                nginx_version=".".join(map(str, binary.version)),
                config_path=str(settings.config),
                state_dir=self._layout.state,
                started_at=SystemClock().now(),
            ),
        )
        self._clerk = clerk.Clerk(store, SystemClock(), self._certificates, reload=self._reload)

    async def live(self) -> None:
        await self._endpoints.start()
        await self._nginx.adopt()
        await daemon.live(
            front=self._gate,
            sources=[self._compatible, self._containers],
            proxy=self._nginx,
            is_serving=self._nginx.is_running,
            wait_until_gone=lambda: watch.wait_until_gone(self._layout),
            tasks={
                "containers": self._containers.run,
                "folders": lambda: self._compatible.watch_folders(self._gate.wake),
                "discovery": self._endpoints.run,
                "health checks": self._endpoints.check_health,
                "certificates": self._certificates.run,
                "alerts": self._alerts.run,
                "hook": self._certificates.after.run,
                "records in DNS": self._dns.run,
                "control socket": self._serve_control,
                "hold socket": self._serve_hold,
                "domains socket": self._serve_domains,
                "missed handshakes": self._listen_to_missed,
                "waiting room": self._lobby.run,
                "logs": self._keep_logs,
                "old workers": self._keeper.run,
                "orphans": reap.reap_orphans,
            },
            on_rotate=self._rotate.set,
            announce=self._announce,
        )

    def _announce(self, front: gate.Gate) -> None:
        _announce(front)
        self._dns.start()
        if self._compatible.is_on:
            log.info("Watching docker events")  # nginx-proxy's users have scripts that wait for this line

    def _configure(self, found: model.Globals) -> None:
        self._containers.configure(found.docker)
        self._preflight.configure(found)
        self._dns.configure(found.acme)

    def _describe(self, current: model.Globals) -> environment.Environment:
        self._logs = current.logs
        described = self._machine.describe(
            current, thumbprint=self._certificates.thumbprint(), resolver=self._endpoints.address
        )
        account = worker_account.choose(current.user)
        return dataclasses.replace(described, next_user=account.user if account else None)

    def _see(self) -> teller.Seen | None:
        last = self._gate.last
        if last is None:
            return None
        return teller.Seen(alerts=last.desired.globals.alerts, certificates=self._certificates.status())

    async def _reload(self) -> None:
        """For a new shared key of the accounts: nginx answers CAs with it."""
        await self._gate.apply(generations.Urgency.NEEDED)

    def _observe(self) -> tuple[model.Actual, int]:
        master = process.find_master(self._layout)
        workers = old_workers.find_workers(self._layout, self._nginx.workers.read())
        if master is None:
            return model.Actual(workers=workers), 0
        return model.Actual(pid=master.pid, workers=workers), process.read_reloads(self._layout, master)

    async def _serve_control(self) -> None:
        await web_server.serve(self._make_api, pathlib.Path(self._layout.control_socket))

    async def _serve_hold(self) -> None:
        path = pathlib.Path(self._layout.hold_socket)
        await web_server.serve(self._make_waiting_room, path, group=self._worker_gid)

    async def _serve_domains(self) -> None:
        path = pathlib.Path(self._layout.domains_socket)
        await web_server.serve(self._make_doorbell, path, group=self._worker_gid)

    # Their modules are imported here, where `web_server.serve` has time for it: starlette is slow to import.

    def _make_api(self) -> types.ASGIApp:
        from daemun.web import accounts_api, api  # noqa: PLC0415

        return api.create_app(self._gate, accounts_api.routes(self._clerk, self._clerk))

    def _make_waiting_room(self) -> types.ASGIApp:
        from daemun.waiting import app  # noqa: PLC0415

        return app.create_app(self._lobby, self._layout.hold_socket)

    def _make_doorbell(self) -> types.ASGIApp:
        from daemun.domains import app  # noqa: PLC0415

        return app.create_app(self._asker)

    async def _listen_to_missed(self) -> None:
        await missed.listen(self._layout, self._asker, group=self._worker_gid)

    @property
    def _worker_gid(self) -> int | None:
        account = self._machine.account
        return account.gid if account else None

    async def _keep_logs(self) -> None:
        """Rotate what grew too large; on SIGUSR1 also open anew what somebody else renamed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOGS_CHECKED_EVERY_S):
                    await self._rotate.wait()
            asked = self._rotate.is_set()
            self._rotate.clear()
            try:
                rotated = await self._nginx.rotate_logs(self._logs)
                if asked and not rotated:
                    await self._nginx.reopen_logs()
            except EnvironmentProblemError as error:
                log.warning("the logs are not rotated", reason=str(error))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What rendering needs that does not change while daemun runs."""

    binary: environment.Nginx
    layout: layout_.Layout
    account: worker_account.Account | None

    def describe(
        self, current: model.Globals, *, thumbprint: str | None, resolver: str | None
    ) -> environment.Environment:
        return environment.Environment(
            layout=self.layout,
            nginx=self.binary,
            thumbprint=thumbprint,
            user=self.account.user if self.account else None,
            group=self.account.group if self.account else None,
            resolver=resolver,
            ca_bundle=machine.find_ca_bundle(),
            workers=current.workers or machine.count_cores(),
            ipv6=machine.has_ipv6(),
            open_files=machine.count_open_files(),
        )


def _configured_user(source: yaml_file.YamlFile) -> str | None:
    """The file's `user:`, needed before anything is built. What is wrong with the file is told by the first round."""
    with contextlib.suppress(ConfigError):
        snapshot = source.read_now()
        return snapshot.globals.user if snapshot.globals else None
    return None


def _make_preflight(store: ports.Store) -> "examiner.Preflight":
    from daemun.certs.preflight import examiner  # noqa: PLC0415 - as `late.Late` wants it

    return examiner.Preflight(
        clock=SystemClock(),
        thumbprint=lambda: acme_account.thumbprint(acme_account.load_or_create_key(store)),
        account=lambda authority: _account_url(store, authority),
        budget=lambda hosts, authority: ledger.find(hosts, authority.directory, store, SystemClock()),
    )


def _account_url(store: ports.Store, authority: model.Authority) -> str | None:
    registration = acme_account.read_registration(store, authority.directory)
    return registration.url if registration is not None else None


def _announce(front: gate.Gate) -> None:
    status = front.status()
    live = sum(site.state is model.SiteState.LIVE for site in status.sites)
    log.info(
        "daemun is up",
        version=status.version,
        sites=f"{live} of {len(status.sites)} live",
        nginx=status.nginx_version,
        config=status.config_path,
        state=status.state_dir,
    )


# --- without a daemon ------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """files: what nginx would be given, relative path -> content. problems: what is not in them, or deserves a look."""

    files: dict[str, bytes]
    problems: tuple[model.Problem, ...]


def check(settings: settings_.Settings) -> tuple[model.Problem, ...]:
    """Every problem of the file, also those only nginx finds in hand-written nginx. Touches nothing that runs."""
    try:
        desired = _read_desired(settings)
    except ConfigError as error:
        return getattr(error, "problems", ()) or (_problem(error),)
    if any(problem.severity is model.Severity.ERROR for problem in desired.problems):
        return desired.problems
    # In nginx-proxy's place almost everything comes from containers, so "good" alone would say too much.
    unseen = _unseen(settings, desired) if desired.globals.like_nginx_proxy else ()
    return (*desired.problems, *unseen, *_test_files(settings, desired))


def read_desired_offline(settings: settings_.Settings) -> model.Desired | None:
    """What the file asks for; None when it cannot be read."""
    try:
        return _read_desired(settings)
    except ConfigError:
        return None


def find_running_nginx(settings: settings_.Settings) -> int | None:
    """The process of the nginx that serves from the state directory, perhaps without a daemon; None: there is none."""
    master = process.find_master(settings.layout)
    return master.pid if master is not None else None


def list_accounts_offline(settings: settings_.Settings) -> accounts_port.AccountList:
    """As the store of an earlier `up` has them."""
    store = _existing_store(settings)
    return clerk.list_accounts(store) if store else accounts_port.AccountList(accounts=())


@contextlib.contextmanager
def adopting_offline(settings: settings_.Settings, *, dry: bool) -> collections.abc.Iterator[adopt.Alone]:
    """Takes over what others had, into the store of the next `up`. No daemon can start meanwhile. dry: only tells.

    Raises: LockHeldError when one is starting; EnvironmentProblemError.
    """
    specs: tuple[model.CertificateSpec, ...] = ()
    with contextlib.suppress(DaemunError):  # without a file, or with a bad one: for sites to come
        specs = merge.certificate_specs(_read_desired(settings))
    if dry:
        yield adopt.Alone(_existing_store(settings) or memory_store.MemoryStore(), specs, SystemClock())
        return
    with instance.held_alone(pathlib.Path(settings.layout.lock)):
        yield adopt.Alone(file_store.FileStore(pathlib.Path(settings.layout.store)), specs, SystemClock())


def advise_dns(settings: settings_.Settings, host: str) -> "tuple[advice.Advice, ...]":
    """What is to be done in DNS for the certificate of a site, or of a host that is none yet. Raises: DaemunError."""
    from daemun.certs.dns01 import advice  # noqa: PLC0415 - for this command alone: httpx is slow to import

    snapshot = yaml_file.read_snapshot(settings.config)
    acme = snapshot.globals.acme if snapshot.globals is not None else model.Acme()
    site = next((site for site in snapshot.sites if host in site.names), None)
    ordering = validate_acme.fill(site.tls.ordering if site is not None else model.Ordering(), acme)
    hosts = site.names if site is not None else (host,)
    adviser = advice.Adviser(acme, _existing_store(settings), SystemClock())
    return adviser.advise([name for name in hosts if not names.is_pattern(name)], ordering)


def plan_offline(settings: settings_.Settings) -> gate_port.PlanReport:
    """What `daemun up` would do now. Raises: DaemunError when nothing can be planned."""
    desired = _read_desired(settings)
    binary = find_nginx(settings)
    actual = asyncio.run(server.Nginx(binary, settings.layout).read_actual())
    assembled = _assemble(settings, desired, binary, last_good=actual.files or {})
    wanted = plan.plan(
        desired, assembled.files, actual, specs=merge.certificate_specs(desired), services=merge.services(desired)
    )
    return gate.report_plan(wanted, _problems_of(settings, desired, assembled))


def render_offline(settings: settings_.Settings) -> Rendered:
    """The files nginx would be given. Raises: DaemunError."""
    desired = _read_desired(settings)
    assembled = _assemble(settings, desired, find_nginx(settings), last_good={})
    return Rendered(files=assembled.files, problems=_problems_of(settings, desired, assembled))


def name_source(settings: settings_.Settings) -> str:
    """What these commands read, as people are told it."""
    return str(settings.config) if _has_file(settings) else "the environment"


def _problems_of(
    settings: settings_.Settings, desired: model.Desired, assembled: assemble.Assembled
) -> tuple[model.Problem, ...]:
    refusals = outcome.refusal_problems(desired, assembled.refused)
    return (*desired.problems, *_unseen(settings, desired), *assembled.problems, *refusals)


def _read_desired(settings: settings_.Settings) -> model.Desired:
    """What `daemun up` would take from the file, or the environment, and nginx-proxy's folders. Raises: ConfigError."""
    file = environment_source.FileOrEnvironment(
        yaml_file.YamlFile(settings.config), settings.config, os.environ, is_known=_has_file(settings)
    )
    snapshot = asyncio.run(compatible.Compatible(file, environ=os.environ).read())
    desired = merge.merge_snapshots([snapshot])
    if not _unseen(settings, desired):
        return desired
    return dataclasses.replace(desired, problems=tuple(_soften(problem) for problem in desired.problems))


def _has_file(settings: settings_.Settings) -> bool:
    """Whether the file counts: it is there, was there, or was named; else what the environment says does."""
    if settings.config_was_chosen or settings.config.exists():
        return True
    store = _existing_store(settings)
    return store is not None and remembered.recall(store, settings.config) is not None


def _soften(problem: model.Problem) -> model.Problem:
    """A default site that the file does not have is not missing for sure where there are containers."""
    if problem.field != merge.DEFAULT_SITE:
        return problem
    message = f"{problem.message}, unless a container has it"
    return dataclasses.replace(problem, message=message, severity=model.Severity.WARNING)


def _unseen(settings: settings_.Settings, desired: model.Desired) -> tuple[model.Problem, ...]:
    """Without a daemon no engine is asked: nothing of what containers wish is known then, which is said."""
    wanted = desired.globals.docker
    engine = chosen.find_engine(wanted, os.environ, like_nginx_proxy=desired.globals.like_nginx_proxy)
    place = str(engine) if engine is not None else None
    if place is None and wanted.is_on and (store := _existing_store(settings)) is not None:
        kept = keep.read_kept(store)
        place = kept.url if kept is not None else None
    if place is None:
        return ()
    message = "its containers are not asked without a running daemon, so what they wish for is missing here"
    origin = model.Origin(source="docker", place=place)
    return (model.Problem(origin=origin, message=message, severity=model.Severity.WARNING),)


def _assemble(
    settings: settings_.Settings,
    desired: model.Desired,
    binary: environment.Nginx,
    *,
    last_good: collections.abc.Mapping[str, bytes],
) -> assemble.Assembled:
    store = _existing_store(settings)
    env = _Machine(binary=binary, layout=settings.layout, account=worker_account.choose(desired.globals.user)).describe(
        desired.globals,
        thumbprint=acme_account.read_thumbprint(store) if store else None,
        resolver=(endpoints.read_address(store) if store else None) or UNUSED_RESOLVER,
    )
    return assemble.assemble_files(desired, env, last_good=last_good)


def _existing_store(settings: settings_.Settings) -> ports.Store | None:
    """The store of an earlier `up`; looking at a configuration makes none."""
    root = pathlib.Path(settings.layout.store)
    try:
        return file_store.FileStore(root) if root.is_dir() else None
    except (EnvironmentProblemError, PermissionError):
        return None


def _test_files(settings: settings_.Settings, desired: model.Desired) -> tuple[model.Problem, ...]:
    """What nginx says of the whole configuration, tested in a folder of its own. A machine that lacks something
    (nginx, a right to port 80) is not a problem of the file."""
    try:
        binary = find_nginx(settings)
        with tempfile.TemporaryDirectory(prefix="daemun-") as folder:
            apart = dataclasses.replace(settings, state=pathlib.Path(folder))
            assembled = _assemble(apart, desired, binary, last_good={})
            return asyncio.run(_find_refused(server.Nginx(binary, apart.layout), desired, assembled))
    except EnvironmentProblemError:
        return ()
    except DaemunError as error:
        return (_problem(error),)


async def _find_refused(
    nginx: server.Nginx, desired: model.Desired, assembled: assemble.Assembled
) -> tuple[model.Problem, ...]:
    staged = await quarantine.stage_with_quarantine(
        nginx,
        desired,
        assembled.files,
        last_good={},
        unavailable=assembled.unavailable,
        known=assembled.definitions,
    )
    refusals = outcome.refusal_problems(desired, (*assembled.refused, *staged.refused))
    return (*assembled.problems, *refusals)


def _problem(error: DaemunError) -> model.Problem:
    return model.Problem(origin=model.NOWHERE, message=str(error))
