"""One round of the loop: gather what the sources ask for, and make it so.

`run_once` does not raise for what a person or the machine did wrong: what is refused comes back as problems, and what
runs goes on.
"""

import asyncio
import collections.abc
import dataclasses

from daemun.control import ports, quarantine
from daemun.core import assemble, merge, model, outcome, plan, waits
from daemun.core.render import environment
from daemun.errors import ConfigError, DaemunError

DescribeEnvironment = collections.abc.Callable[[model.Globals], environment.Environment]
Configure = collections.abc.Callable[[model.Globals], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a round ended.

    sites: every desired site with its state. problems: of the sources, the merge and nginx.
    wanted: what was to be done; None when it did not come so far. activated: what nginx was made to do.
    generation: the one that is live. error: why nothing new is live; None also when single sites are quarantined.
    unread: a source could not be read, and what it said last was applied once more.
    """

    desired: model.Desired
    sites: tuple[model.SiteStatus, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    wanted: plan.Plan | None = None
    activated: plan.Activation = plan.Activation.NOTHING
    generation: int | None = None
    error: str | None = None
    unread: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether another round could end better though no source tells of a change: a port became free, or a file
        that daemun.yaml names came to be."""
        return self.error is not None or self.unread

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is live."""
        return self.error is None and not any(item.severity is model.Severity.ERROR for item in self.problems)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    desired: model.Desired
    problems: tuple[model.Problem, ...]
    complete: bool
    unread: bool


class Reconciler:
    """The loop's one round. Rounds must not overlap (`control.gate` sees to it)."""

    def __init__(
        self,
        *,
        sources: collections.abc.Sequence[ports.Source],
        proxy: ports.Proxy,
        certificates: ports.Certificates,
        domains: ports.Domains,
        endpoints: ports.Endpoints,
        waiting_room: ports.WaitingRoom,
        describe_environment: DescribeEnvironment,
        configure: Configure = lambda _: None,
        last_good: collections.abc.Mapping[str, model.Snapshot],
    ) -> None:
        """configure: told the settings of each reading, before the sources behind the one that has them are read.
        last_good: source name -> what an earlier daemon applied of it, used until it can be read."""
        self._sources = sources
        self._proxy = proxy
        self._certificates = certificates
        self._domains = domains
        self._endpoints = endpoints
        self._waiting_room = waiting_room
        self._describe_environment = describe_environment
        self._configure = configure
        self._last_good: dict[str, model.Snapshot] = dict(last_good)

    async def run_once(self) -> Outcome:
        """Gather, merge, assemble, plan, expand, switch, record."""
        gathered = await self._gather()
        desired, problems = gathered.desired, gathered.problems
        live: collections.abc.Mapping[str, bytes] = {}
        files: collections.abc.Mapping[str, bytes] = {}
        generation: int | None = None
        if not gathered.complete:
            return Outcome(desired=desired, problems=problems, error="nothing that could be applied was ever read")
        try:
            actual = await self._proxy.read_actual()
            generation = actual.generation
            live = (actual.files or {}) if actual.pid is not None else {}
            assembled = await self._assemble(desired, actual.files or {})
            files = assembled.files
            problems += assembled.problems
            wanted = _make_plan(desired, assembled, actual)
            problems += await self._expand(desired)
            staged, activated = await self._switch(desired, assembled, actual)
            generation = await self._activate(activated, actual)
            await self._certificates.confirm()
        except DaemunError as error:
            return Outcome(
                desired=desired,
                sites=outcome.site_statuses(desired, live=live, wanted=files, error=str(error)),
                problems=(*problems, model.Problem(origin=model.NOWHERE, message=str(error))),
                generation=generation,
                error=str(error),
                unread=gathered.unread,
            )
        refused = (*assembled.refused, *staged.refused)
        return Outcome(
            desired=desired,
            sites=outcome.site_statuses(desired, live=staged.files, wanted=staged.files, refused=refused),
            problems=(*problems, *outcome.refusal_problems(desired, refused, last_good=actual.files or {})),
            wanted=wanted,
            activated=activated,
            generation=generation,
            unread=gathered.unread,
        )

    async def make_plan(self) -> tuple[plan.Plan, tuple[model.Problem, ...]]:
        """What `run_once` would do now. Changes nothing. Raises: DaemunError when nothing can be planned."""
        gathered = await self._gather()
        actual = await self._proxy.read_actual()
        assembled = await self._assemble(gathered.desired, actual.files or {})
        refusals = outcome.refusal_problems(gathered.desired, assembled.refused, last_good=actual.files or {})
        problems = (*gathered.problems, *assembled.problems, *refusals)
        return _make_plan(gathered.desired, assembled, actual), problems

    async def _gather(self) -> _Gathered:
        """Every source's snapshot, merged. A source that cannot be read keeps its last good snapshot."""
        problems: list[model.Problem] = []
        unread = False
        for source in self._sources:
            try:
                self._last_good[source.name] = await source.read()
            except ConfigError as error:
                unread = True
                found = getattr(error, "problems", ()) or (
                    model.Problem(origin=model.Origin(source=source.name), message=str(error)),
                )
                problems.extend(found)
            known = self._last_good.get(source.name)
            if known is not None and known.globals is not None:
                self._configure(known.globals)
        snapshots = [self._last_good[source.name] for source in self._sources if source.name in self._last_good]
        desired = merge.merge_snapshots(snapshots)
        complete = any(snapshot.globals is not None for snapshot in snapshots)
        found_all = (*problems, *desired.problems)
        return _Gathered(desired=desired, problems=found_all, complete=complete, unread=unread)

    async def _assemble(self, desired: model.Desired, live: collections.abc.Mapping[str, bytes]) -> assemble.Assembled:
        env = self._describe_environment(desired.globals)
        return await asyncio.to_thread(assemble.assemble_files, desired, env, last_good=live)

    async def _expand(self, desired: model.Desired) -> tuple[model.Problem, ...]:
        """Certificates and endpoints exist before the configuration that names them."""
        self._certificates.configure(desired.globals.acme)
        specs = (*merge.certificate_specs(desired), *await self._domains.publish(desired))
        problems = await self._certificates.prepare(specs)
        await self._endpoints.publish(merge.services(desired), desired.pools)
        self._waiting_room.publish(waits.find_waits(desired))
        return problems

    async def _switch(
        self, desired: model.Desired, assembled: assemble.Assembled, actual: model.Actual
    ) -> tuple[quarantine.Staged, plan.Activation]:
        """Stage the tree, unless nginx runs it already. Quarantine may leave what runs: then nothing is done either."""
        if plan.choose_activation(assembled.files, actual) is plan.Activation.NOTHING:
            return quarantine.Staged(files=assembled.files), plan.Activation.NOTHING
        staged = await quarantine.stage_with_quarantine(
            self._proxy,
            desired,
            assembled.files,
            last_good=actual.files or {},
            unavailable=assembled.unavailable,
        )
        return staged, plan.choose_activation(staged.files, actual)

    async def _activate(self, activation: plan.Activation, actual: model.Actual) -> int | None:
        if activation is plan.Activation.NOTHING:
            return actual.generation
        return await self._proxy.activate()


def _make_plan(desired: model.Desired, assembled: assemble.Assembled, actual: model.Actual) -> plan.Plan:
    return plan.plan(
        desired,
        assembled.files,
        actual,
        specs=merge.certificate_specs(desired),
        services=merge.services(desired),
    )
