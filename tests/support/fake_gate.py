"""A gate that a test controls, served over the real control socket, and the real command line that asks it."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib

from starlette import routing

from daemun import settings
from daemun.control import gate_port, history_port
from daemun.core import model, worker_generations
from daemun.core.access import banned_networks
from daemun.core.certificates import on_demand_names
from daemun.core.options import old_workers_option
from daemun.errors import NotFoundError
from daemun.web import api, socket_server
from tests.support import forked

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

Rule = collections.abc.Callable[["FakeGate"], gate_port.ApplyReport]


def proxy_site(host: str, to: str = "http://127.0.0.1:9000", *, line: int = 2) -> model.Site:
    """A site of one route to one server, as a file would give it."""
    url, port = to.removeprefix("http://").split(":")
    target = model.Target(scheme=model.Scheme.HTTP, host=url, port=int(port))
    origin = model.Origin(source="file", place=f"daemun.yaml:{line}:3")
    route = model.Route(path="/", action=model.Proxy(targets=(target,)), origin=origin)
    return model.Site(host=host, routes=(route,), origin=origin)


def live(site: model.Site) -> model.SiteStatus:
    return model.SiteStatus(site=site, state=model.SiteState.LIVE)


def certificate(
    host: str, state: model.CertificateState = model.CertificateState.LOCAL, *, reason: str | None = None
) -> model.CertificateStatus:
    return model.CertificateStatus(
        name=host,
        host=host,
        names=(host,),
        state=state,
        kind=model.CertificateKind.LOCAL,
        issuer="daemun local CA",
        not_before=NOON,
        not_after=NOON + datetime.timedelta(days=90),
        renew_at=NOON + datetime.timedelta(days=60),
        next_attempt=NOON + datetime.timedelta(minutes=10) if reason else None,
        reason=reason,
    )


def old_workers() -> gate_port.OldWorkersReport:
    """Two old generations, of which one is drained for a change that waits since noon, and of one little is known."""
    limits = old_workers_option.OldWorkersBudget(generations=2)
    first, second, third = (model.OldWorker(pid=pid, started=pid) for pid in (21, 22, 31))
    known = model.OldGeneration(number=2, age_s=7200.4, workers=(first, second), memory_bytes=30 << 20, sockets=40)
    unknown = model.OldGeneration(number=None, age_s=61.0, workers=(third,), memory_bytes=20 << 20, is_estimate=True)
    excess = worker_generations.find_excess((known, unknown), limits)
    assert excess is not None
    held = worker_generations.hold(excess, limits, now=NOON, waited_s=0)
    return gate_port.OldWorkersReport(limits=limits, old=(known, unknown), held=held, drains=0, closed=5)


class FakeGate:
    """Implements `gate_port.GatePort`. Its values are what it tells; `on_apply` decides how an apply ends."""

    def __init__(self, *, config: pathlib.Path, state: pathlib.Path) -> None:
        self.told = gate_port.GateStatus(
            version="1.2.3",
            pid=os.getpid(),
            generation=4,
            nginx_version="1.31.3",
            nginx_path="/usr/sbin/nginx",
            nginx_pid=4711,
            reloads=2,
            workers=2,
            draining_workers=1,
            sites=(live(proxy_site("a.test")),),
            certificates=(certificate("a.test"),),
            problems=(),
            config_path=str(config),
            state_dir=str(state),
            started_at=NOON,
        )
        self.old_workers = gate_port.OldWorkersReport(limits=old_workers_option.OldWorkersBudget())
        self.plan_report = gate_port.PlanReport()
        self.on_apply: Rule = lambda gate: gate_port.ApplyReport(ok=True, generation=gate.told.generation)
        self.applied: list[bytes] = []
        self.upgrade_report = gate_port.UpgradeReport(ok=True, version="1.31.3", path="/usr/sbin/nginx")
        self.renewed: list[str] = []
        self.stops: list[bool] = []
        self.added: set[str] = set()
        self.refused: on_demand_names.RefusedName | None = None
        self.told_alerts: tuple[model.SentAlert, ...] = ()
        self.findings: tuple[model.Finding, ...] = ()
        self.diagnosed: list[str | None] = []
        self.failure: Exception | None = None
        self.looks: dict[str, model.SiteLook] = {}
        self.probed: list[str | None] = []
        self.banned: dict[str, banned_networks.Ban] = {}
        self.attacks: tuple[banned_networks.Ban, ...] = ()

    def tell(self, **values: object) -> None:
        """Replace values of the status."""
        self.told = dataclasses.replace(self.told, **values)  # type: ignore[arg-type]

    def status(self, *, added: bool = True, host: str | None = None) -> gate_port.GateStatus:
        if self.failure is not None:
            raise self.failure
        return self.told if host is None else self.told.of_site(host)

    def bans(self) -> tuple[banned_networks.Ban, ...]:
        return tuple(self.banned.values())

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        return self.attacks

    async def ban(self, address: str, seconds: int | None) -> banned_networks.Ban:
        until = None if seconds is None else NOON + datetime.timedelta(seconds=seconds)
        one = banned_networks.Ban(network=address, reason=banned_networks.Reason.OWNER, since=NOON, until=until)
        self.banned[address] = one
        return one

    async def unban(self, address: str) -> banned_networks.Ban:
        if address not in self.banned:
            raise NotFoundError(f"cannot unban {address}: it is not banned")
        return self.banned.pop(address)

    async def look_at_nginx(self) -> None:
        """`told` says how it went."""

    def look(self, host: str) -> model.SiteLook | None:
        return self.looks.get(host)

    async def probe(self, host: str | None) -> int:
        self.probed.append(host)
        return 0

    async def look_at_old_workers(self) -> gate_port.OldWorkersReport:
        return self.old_workers

    async def plan(
        self, *, instead: collections.abc.Mapping[str, model.Snapshot] | None = None
    ) -> gate_port.PlanReport:
        return self.plan_report

    async def apply(
        self,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> gate_port.ApplyReport:
        config = pathlib.Path(self.told.config_path)
        self.applied.append(config.read_bytes() if config.exists() else b"")
        return self.on_apply(self)

    async def upgrade_nginx(self) -> gate_port.UpgradeReport:
        return self.upgrade_report

    async def renew(self, host: str, *, force: bool = False) -> bool:
        self.renewed.append(host)
        return any(known.host == host for known in self.told.certificates)

    def domains(self) -> tuple[str, ...]:
        return tuple(sorted(self.added))

    async def add_domain(self, host: str) -> on_demand_names.RefusedName | None:
        if self.refused is None:
            self.added.add(host)
        return self.refused

    async def remove_domain(self, host: str) -> bool:
        was_there = host in self.added
        self.added.discard(host)
        return was_there

    async def test_alerts(self) -> tuple[model.SentAlert, ...]:
        return self.told_alerts

    async def diagnose(self, host: str | None) -> tuple[model.Finding, ...]:
        self.diagnosed.append(host)
        return self.findings

    def request_stop(self, *, keep_traffic: bool) -> None:
        self.stops.append(keep_traffic)


@contextlib.asynccontextmanager
async def serving(
    gate: FakeGate, more: collections.abc.Sequence[routing.BaseRoute] = ()
) -> collections.abc.AsyncIterator[pathlib.Path]:
    """The gate behind its control socket, whose path this gives. more: routes beside its own."""
    path = pathlib.Path(
        settings.Settings(config=pathlib.Path("/"), state=pathlib.Path(gate.told.state_dir)).layout.control_socket
    )
    task = asyncio.create_task(socket_server.serve(lambda: api.create_app(gate, more), path))
    try:
        async with asyncio.timeout(60):
            while not path.exists():
                await asyncio.sleep(0.01)
        yield path
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


async def command(*arguments: str, cwd: pathlib.Path, environ: dict[str, str] | None = None) -> Said:
    """Run the real command line to its end; no traceback may be seen."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")}
    done = await asyncio.to_thread(
        forked.run,
        [*forked.PROGRAM, *arguments],
        environment=clean | {"COLUMNS": "200"} | (environ or {}),
        folder=cwd,
        within_s=240,
    )
    said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
    assert "Traceback" not in said.out + said.err, said
    return said
