"""Makes nginx run a desired state: stages the tree, tests its addresses, switches.

What cannot be had of single sites is found on the way, and the tree is made anew without it.
"""

import asyncio
import collections.abc
import dataclasses
import types
import typing

from daemun import errors
from daemun.control import nginx_port, quarantine_staging
from daemun.core import model, render_environment, worker_generations
from daemun.core.options import fleet_option, old_workers_option
from daemun.core.plan import change_plan, listeners, quarantine
from daemun.core.rounds import assembly

DescribeEnvironment = collections.abc.Callable[[model.Globals], render_environment.Environment]


class Admission(typing.Protocol):
    """Decides whether nginx may be reloaded now (`control.reload_limiter`)."""

    async def admit(
        self, limits: old_workers_option.OldWorkersBudget, urgency: worker_generations.Urgency
    ) -> worker_generations.HeldReload | None:
        """None: it may. Else the change waits, from its first call until `withdraw`; the loop is woken to try again."""
        ...

    def withdraw(self) -> None:
        """No change waits any more: it is live, or it was taken back."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tree that nginx accepts. assembled, actual: what it came from. files: the tree. refused: what stands in for
    others in it, by nginx's judgement. activation: what it takes that nginx runs it."""

    assembled: assembly.Assembled
    actual: model.Actual
    files: collections.abc.Mapping[str, bytes]
    refused: tuple[quarantine.RefusedFile, ...]
    activation: change_plan.Activation


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SwitchResult:
    """What nginx runs now. refused, denied: what of the desired it does not. activation: what it was made to do.

    held: why it does not run `files` yet, although it accepts them; None: it does.
    """

    files: collections.abc.Mapping[str, bytes]
    refused: tuple[quarantine.RefusedFile, ...]
    denied: assembly.Denied
    activation: change_plan.Activation
    generation: int | None
    held: worker_generations.HeldReload | None = None


class Switcher:
    """Makes nginx run trees. One call at a time."""

    def __init__(
        self,
        proxy: nginx_port.ReverseProxy,
        listening: nginx_port.Listening,
        describe_environment: DescribeEnvironment,
        admission: Admission,
    ) -> None:
        self._proxy = proxy
        self._listening = listening
        self._admission = admission
        self._describe_environment = describe_environment
        self._known = assembly.AssemblyMemory()
        self._refused: frozenset[str] = frozenset()

    async def assemble(
        self, desired: model.Desired, actual: model.Actual, denied: assembly.Denied = types.MappingProxyType({})
    ) -> assembly.Assembled:
        """The tree, in which sites with an address that nginx cannot have are set aside.

        denied: what is known of that; other addresses are tried before nginx would.
        """
        env = self._describe_environment(desired.globals)
        # This ends: what is found is not wanted again.
        while True:
            assembled = await asyncio.to_thread(
                assembly.assemble_files,
                desired,
                env,
                last_good=actual.files or {},
                denied=denied,
                memory=self._known,
            )
            if change_plan.choose_activation(assembled.files, actual) is change_plan.Activation.NOTHING:
                return assembled
            untried = listeners.find_untried(assembled.files, actual) - denied.keys()
            found = await self._listening.find_denied(untried)
            if not found:
                return assembled
            denied = {**denied, **{one.address: one for one in found}}

    async def stage(self, desired: model.Desired, assembled: assembly.Assembled, actual: model.Actual) -> Candidate:
        """Stage the tree and let nginx judge it, unless nginx runs it already. Nothing that runs is touched.

        Quarantine may leave what runs: then nothing is to be done either.
        """
        while True:
            try:
                return await self._stage(assembled, actual)
            except nginx_port.ListenError as error:
                assembled, actual = await self._set_aside(desired, assembled, error)

    async def switch(
        self,
        desired: model.Desired,
        candidate: Candidate,
        *,
        urgency: worker_generations.Urgency = worker_generations.Urgency.NEEDED,
    ) -> SwitchResult:
        """Make nginx run what was staged last. When it cannot listen at an address of only single sites, without
        these."""
        while True:
            try:
                return await self._activate(desired, candidate, urgency)
            except nginx_port.ListenError as error:
                assembled, actual = await self._set_aside(desired, candidate.assembled, error)
                candidate = await self.stage(desired, assembled, actual)

    async def _set_aside(
        self, desired: model.Desired, assembled: assembly.Assembled, error: nginx_port.ListenError
    ) -> tuple[assembly.Assembled, model.Actual]:
        """The tree without the sites that want the address. Raises: the error when others need it, too."""
        address = listeners.as_listened(error.denied.address, assembled.files)
        is_known = address in assembled.denied
        if is_known or not listeners.is_for_single_files(address, assembled.files, assembled.last_good):
            raise _of_node(error) if fleet_option.OPTION.of(desired.globals) is not None else error
        actual = await self._proxy.read_actual()
        denied = {**assembled.denied, address: error.denied}
        return await self.assemble(desired, actual, denied), actual

    async def _stage(self, assembled: assembly.Assembled, actual: model.Actual) -> Candidate:
        staged = quarantine_staging.Staged(files=assembled.files)
        activation = change_plan.choose_activation(assembled.files, actual)
        if activation is not change_plan.Activation.NOTHING:
            staged = await quarantine_staging.stage_with_quarantine(
                self._proxy,
                assembled.files,
                last_good=assembled.last_good,
                unavailable=assembled.unavailable,
                known=assembled.definitions,
            )
            activation = change_plan.choose_activation(staged.files, actual)
        return Candidate(
            assembled=assembled, actual=actual, files=staged.files, refused=staged.refused, activation=activation
        )

    async def _activate(
        self, desired: model.Desired, candidate: Candidate, urgency: worker_generations.Urgency
    ) -> SwitchResult:
        """A tree that has to wait was judged all the same: what is wrong with it is reported at once."""
        activation, held = candidate.activation, None
        refused = (*candidate.assembled.refused, *candidate.refused)
        if activation is change_plan.Activation.TAKE_OVER:
            self._check_takes_all(refused)
        if activation in {change_plan.Activation.RELOAD, change_plan.Activation.TAKE_OVER}:
            held = await self._admission.admit(old_workers_option.OPTION.of(desired.globals), urgency)
        if held is None:
            self._admission.withdraw()
        else:
            activation = change_plan.Activation.NOTHING
        is_left = activation is change_plan.Activation.NOTHING
        generation = candidate.actual.generation if is_left else await self._proxy.activate()
        if held is None:
            self._refused = frozenset(one.path for one in refused)
        return SwitchResult(
            files=candidate.files,
            refused=refused,
            denied=candidate.assembled.denied,
            activation=activation,
            generation=generation,
            held=held,
        )

    def _check_takes_all(self, refused: tuple[quarantine.RefusedFile, ...]) -> None:
        """A site that works is no price for another binary. Raises: ApplyError for what only that one refuses."""
        lost = [one for one in refused if one.path not in self._refused]
        if lost:
            what = "; ".join(f"{change_plan.host_of(one.path)}: {one.reason}" for one in lost[:3])
            more = f" (and {len(lost) - 3} more)" if len(lost) > 3 else ""
            raise errors.ApplyError(
                f"cannot let another nginx take over: it does not take the configuration: {what}{more}; the nginx that "
                "served goes on as before",
                stage="test",
                restored=True,
            )


def _of_node(error: nginx_port.ListenError) -> nginx_port.ListenError:
    """In a fleet the file's `listen` is that of all machines: the cure is this machine's own."""
    own = error.denied.for_node()
    text = str(error).replace(error.denied.elsewhere or str(error), own.elsewhere or str(error))
    return nginx_port.ListenError(own, text)
