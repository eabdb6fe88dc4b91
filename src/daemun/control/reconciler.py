"""One round of the loop: gather what the sources want, and make it so.

`run_once` does not raise for what a person or the machine did wrong: what is refused comes back as problems, and what
runs goes on.
"""

import asyncio
import collections.abc
import dataclasses
import types
import typing

from daemun.control import access_port, certificate_port, nginx_port, ports, switcher
from daemun.core import model, site_memory, worker_generations
from daemun.core.access import access_levels, basic_auth_policies, judge_policies, login_policies
from daemun.core.certificates import certificate_choice, certificate_faults
from daemun.core.plan import change_plan
from daemun.core.rounds import assembly, merge, outcome
from daemun.core.services import dns_service, hold_policy
from daemun.errors import ConfigError, DaemunError

_T = typing.TypeVar("_T")

Configure = collections.abc.Callable[[model.Globals], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a round ended.

    sites, streams: every desired one with its state. problems: of the sources, the merge, nginx and certificates.
    certificate_problems: those of them that were of certificates, which change between rounds, too.
    plan: what was to be done; None when it did not come so far. activated: what nginx was made to do.
    generation: the one that is live. error: why nothing new is live; None also when single sites are quarantined.
    unread: the sources that could not be read, so that their last snapshot was applied once more.
    waits: a site is set aside because nginx cannot listen at its address. may_be_accepted: one is for something outside
    the configuration, such as a name that could not be resolved.
    held: what nginx has to be reloaded for waits; what needs no reload is live.
    versions: source -> that of what was read, where it is known.
    """

    desired: model.Desired
    sites: tuple[model.SiteStatus, ...] = ()
    streams: tuple[model.StreamStatus, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    certificate_problems: tuple[model.Problem, ...] = ()
    plan: change_plan.Plan | None = None
    activated: change_plan.Activation = change_plan.Activation.NOTHING
    generation: int | None = None
    error: str | None = None
    unread: tuple[str, ...] = ()
    waits: bool = False
    may_be_accepted: bool = False
    held: worker_generations.HeldReload | None = None
    versions: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def has_applied(self, seen: collections.abc.Mapping[str, str]) -> bool:
        """Whether nothing is left to be done for what these sources have now. seen: source -> its version."""
        is_read = all(version and self.versions.get(name) == version for name, version in seen.items())
        return bool(seen) and is_read and self.held is None and not self.may_pass

    @property
    def may_pass(self) -> bool:
        """Whether another round could end better though no source reports a change: a port became free, or a file
        that daemun.yaml names came to be."""
        return (
            self.error is not None
            or bool(self.unread)
            or self.waits
            or any(problem.file is not None for problem in self.problems)
        )

    @property
    def ok(self) -> bool:
        """Whether everything that was wanted is live."""
        return (
            self.error is None
            and self.held is None
            and not any(item.severity is model.Severity.ERROR for item in self.problems)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Expanded:
    """problems: of certificates. closed: why visitors are kept out. waits: what may wait once nginx runs what is
    desired."""

    problems: tuple[model.Problem, ...]
    closed: tuple[model.Problem, ...]
    waits: tuple[dns_service.HeldRoute, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """specs, services, named: what `desired` needs besides nginx; named: host names whose addresses it holds."""

    desired: model.Desired
    specs: tuple[model.CertificateSpec, ...]
    services: tuple[dns_service.Service, ...]
    named: collections.abc.Mapping[str, access_levels.NamingPlace]
    problems: tuple[model.Problem, ...]
    complete: bool
    unread: tuple[str, ...]
    versions: collections.abc.Mapping[str, str]


class Reconciler:
    """The loop's one round. Rounds must not overlap (`control.gate` sees to it)."""

    def __init__(
        self,
        *,
        sources: collections.abc.Sequence[ports.Source],
        proxy: nginx_port.ReverseProxy,
        listening: nginx_port.Listening,
        certificates: certificate_port.Certificates,
        domains: certificate_port.Domains,
        endpoints: ports.Endpoints,
        held_requests: ports.HeldRequests,
        judge: access_port.Judge,
        describe_environment: switcher.DescribeEnvironment,
        admission: switcher.Admission,
        configure: Configure = lambda _: None,
        last_good: collections.abc.Mapping[str, model.Snapshot],
    ) -> None:
        """configure: gets the settings of each round, before the sources behind the one that has them are read.
        last_good: source name -> what an earlier daemon applied of it, used until it can be read."""
        self._sources = sources
        self._proxy = proxy
        self._admission = admission
        self._switcher = switcher.Switcher(proxy, listening, describe_environment, admission)
        self._certificates = certificates
        self._domains = domains
        self._endpoints = endpoints
        self._held_requests = held_requests
        self._judge = judge
        self._configure = configure
        self._last_good: dict[str, model.Snapshot] = dict(last_good)
        self._merged: site_memory.PerSite[merge.Judged] = site_memory.PerSite()
        self._specs: site_memory.PerSite[model.CertificateSpec | None] = site_memory.PerSite()
        self._live_waits: tuple[dns_service.HeldRoute, ...] = ()

    async def run_once(self, urgency: worker_generations.Urgency = worker_generations.Urgency.NEEDED) -> Outcome:
        """Gather, merge, assemble; plan, expand and stage; switch, record. urgency: of a reload, should it take one."""
        gathered = await self._gather(applies=True)
        desired, problems = gathered.desired, gathered.problems
        live: collections.abc.Mapping[str, bytes] = {}
        files: collections.abc.Mapping[str, bytes] = {}
        certificate_problems: tuple[model.Problem, ...] = ()
        moved: collections.abc.Set[str] = frozenset()
        generation: int | None = None
        if not gathered.complete:
            lost = await self._serve_last()
            error = "nothing that could be applied was ever read"
            return Outcome(desired=desired, problems=(*problems, *lost), error=error)
        try:
            # First, for it waits for nothing else: what uses an endpoint that moved shall know at once.
            await self._endpoints.publish(gathered.services, desired.pools, gathered.named)
            actual = await self._proxy.read_actual()
            generation = actual.generation
            live = (actual.files or {}) if actual.pid is not None else {}
            assembled = await self._switcher.assemble(desired, actual)
            files, moved = assembled.files, assembled.moved
            problems += assembled.problems
            # What the tree names comes to be while nginx judges it. Only the switch needs both.
            parts = await asyncio.gather(
                self._expand(gathered, actual.files or {}),
                asyncio.to_thread(_make_plan, gathered, assembled, actual),
                self._switcher.stage(desired, assembled, actual),
                return_exceptions=True,
            )
            expanded, plan = _found(parts[0]), _found(parts[1])
            certificate_problems = certificate_faults.place(expanded.problems, desired.sites, known=problems)
            problems += (*certificate_problems, *expanded.closed)
            switched = await self._switcher.switch(desired, _found(parts[2]), urgency=urgency)
            generation = switched.generation
            if switched.held is None:
                self._live_waits = expanded.waits
                await self._judge.confirm(switched.files)
                await self._certificates.confirm()
        except DaemunError as error:
            self._admission.withdraw()
            problems += await self._serve_last()
            return Outcome(
                desired=desired,
                sites=outcome.site_statuses(desired, live=live, rendered=files, moved=moved, error=str(error)),
                streams=outcome.stream_statuses(desired, live=live, rendered=files, error=str(error)),
                problems=(*problems, model.Problem(origin=model.NOWHERE, message=str(error))),
                certificate_problems=certificate_problems,
                generation=generation,
                error=str(error),
                unread=gathered.unread,
            )
        runs = switched.files if switched.held is None else live
        waits = switched.held.brief if switched.held is not None else None
        sites = outcome.site_statuses(
            desired, live=runs, rendered=switched.files, refused=switched.refused, error=waits
        )
        streams = outcome.stream_statuses(
            desired, live=runs, rendered=switched.files, refused=switched.refused, error=waits
        )
        containers = outcome.judge_containers(desired, switched.refused)
        return Outcome(
            desired=dataclasses.replace(desired, containers=outcome.judge_pending(containers, sites)),
            sites=sites,
            streams=streams,
            problems=(*problems, *outcome.refusal_problems(desired, switched.refused)),
            certificate_problems=certificate_problems,
            plan=plan,
            activated=switched.activation,
            generation=generation,
            unread=gathered.unread,
            waits=bool(switched.denied),
            may_be_accepted=any(one.may_pass for one in switched.refused),
            held=switched.held,
            versions=gathered.versions,
        )

    async def _serve_last(self) -> tuple[model.Problem, ...]:
        """When nothing new can be had and nginx does not run: what it ran last is served. Returns: why it is not."""
        try:
            actual = await self._proxy.read_actual()
            if actual.pid is None and actual.current_generation is not None:
                await self._proxy.activate()
        except DaemunError as error:
            return (model.Problem(origin=model.NOWHERE, message=str(error)),)
        return ()

    async def make_plan(
        self, instead: collections.abc.Mapping[str, model.Snapshot] = types.MappingProxyType({})
    ) -> tuple[change_plan.Plan, tuple[model.Problem, ...]]:
        """What `run_once` would do now. Changes nothing. instead: of what these sources want. Raises: DaemunError when
        nothing can be planned."""
        gathered = await self._gather(applies=False, instead=instead)
        actual = await self._proxy.read_actual()
        assembled = await self._switcher.assemble(gathered.desired, actual)
        refusals = outcome.refusal_problems(gathered.desired, assembled.refused)
        problems = (*gathered.problems, *assembled.problems, *refusals)
        return await asyncio.to_thread(_make_plan_to_show, gathered, assembled, actual), problems

    async def _gather(
        self, *, applies: bool, instead: collections.abc.Mapping[str, model.Snapshot] = types.MappingProxyType({})
    ) -> _Gathered:
        """Every source's snapshot, merged. A source that cannot be read keeps its last good snapshot.

        applies: for a round: what was read is the last good snapshot from now on, what follows its settings is
        configured, and endpoints that moved are published at once, which waits for nothing that many sites take.
        """
        last_good = self._last_good if applies else dict(self._last_good)
        problems: list[model.Problem] = []
        unread: list[str] = []
        versions: dict[str, str] = {}
        for source in self._sources:
            try:
                last_good[source.name] = snapshot = instead.get(source.name) or await source.read()
                versions[source.name] = snapshot.version
                if applies:
                    self._endpoints.move(snapshot.pools)
            except ConfigError as error:
                unread.append(source.name)
                found = getattr(error, "problems", ()) or (
                    model.Problem(origin=model.Origin(source=source.name), message=str(error)),
                )
                problems.extend(found)
            known = last_good.get(source.name)
            if applies and known is not None and known.globals is not None:
                self._configure(known.globals)
        snapshots = [last_good[source.name] for source in self._sources if source.name in last_good]
        return await asyncio.to_thread(self._merge, snapshots, tuple(problems), unread=tuple(unread), versions=versions)

    def _merge(
        self,
        snapshots: list[model.Snapshot],
        problems: tuple[model.Problem, ...],
        *,
        unread: tuple[str, ...],
        versions: collections.abc.Mapping[str, str],
    ) -> _Gathered:
        desired = merge.merge_snapshots(snapshots, self._merged)
        return _Gathered(
            desired=desired,
            specs=(*merge.certificate_specs(desired, self._specs), *certificate_choice.find_own_specs(desired)),
            services=merge.services(desired),
            named=access_levels.find_names(desired),
            problems=(*problems, *desired.problems),
            complete=any(snapshot.globals is not None for snapshot in snapshots),
            unread=unread,
            versions=versions,
        )

    async def _expand(self, gathered: _Gathered, live: collections.abc.Mapping[str, bytes]) -> _Expanded:
        """Certificates, policies and places to wait exist before the configuration that names them."""
        self._certificates.configure(gathered.desired.globals.acme)
        specs = (*gathered.specs, *await self._domains.publish(gathered.desired))
        policies = await asyncio.to_thread(_find_policies, gathered.desired)
        problems, closed = await asyncio.gather(self._certificates.prepare(specs), self._judge.prepare(policies, live))
        found = await asyncio.to_thread(hold_policy.find_waits, gathered.desired)
        # What nginx runs until the switch names its own routes, and the switch may have to wait.
        known = {wait.name: wait for wait in (*self._live_waits, *found)}
        self._held_requests.publish(tuple(known.values()))
        return _Expanded(problems=problems, closed=closed, waits=found)


def _find_policies(desired: model.Desired) -> tuple[judge_policies.AnyPolicy, ...]:
    return (*basic_auth_policies.find_policies(desired), *login_policies.find_policies(desired))


def _found(part: _T | BaseException) -> _T:
    """What a part of a round came to, or raises what it raised."""
    if isinstance(part, BaseException):
        raise part
    return part


def _make_plan_to_show(gathered: _Gathered, assembled: assembly.Assembled, actual: model.Actual) -> change_plan.Plan:
    made = _make_plan(gathered, assembled, actual)
    return dataclasses.replace(made, changes=change_plan.with_lines(made.changes, assembled.files, actual.files or {}))


def _make_plan(gathered: _Gathered, assembled: assembly.Assembled, actual: model.Actual) -> change_plan.Plan:
    return change_plan.plan(
        gathered.desired,
        assembled.files,
        actual,
        specs=gathered.specs,
        services=gathered.services,
        moved=assembled.moved,
    )
