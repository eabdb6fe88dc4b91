"""From what is desired to what nginx runs: the tree, the addresses it listens on, the switch.

What cannot be had of single sites is found on the way, and the tree is made anew without it.
"""

import asyncio
import collections.abc
import dataclasses
import types
import typing

from daemun.control import ports, quarantine
from daemun.core import assemble as assemble_
from daemun.core import generations, listeners, model, per_site, plan
from daemun.core import quarantine as quarantine_
from daemun.core.render import environment

DescribeEnvironment = collections.abc.Callable[[model.Globals], environment.Environment]


class Admission(typing.Protocol):
    """Who says whether nginx may be reloaded now (`control.keeper`)."""

    async def admit(self, limits: model.OldWorkers, urgency: generations.Urgency) -> generations.Held | None:
        """None: it may. Else the change waits, from its first call until `withdraw`; the loop is woken to ask again."""
        ...

    def withdraw(self) -> None:
        """No change waits any more: it is live, or it was taken back."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """What nginx runs now. refused, denied: what of the desired it does not. activation: what it was made to do.

    held: why it does not run `files` yet, although it accepts them; None: it does.
    """

    files: collections.abc.Mapping[str, bytes]
    refused: tuple[quarantine_.Refused, ...]
    denied: assemble_.Denied
    activation: plan.Activation
    generation: int | None
    held: generations.Held | None = None


class Switcher:
    """Makes nginx run trees. One call at a time."""

    def __init__(
        self,
        proxy: ports.Proxy,
        listening: ports.Listening,
        describe_environment: DescribeEnvironment,
        admission: Admission,
    ) -> None:
        self._proxy = proxy
        self._listening = listening
        self._admission = admission
        self._describe_environment = describe_environment
        self._rendered: per_site.PerSite[bytes] = per_site.PerSite()

    async def assemble(
        self, desired: model.Desired, actual: model.Actual, denied: assemble_.Denied = types.MappingProxyType({})
    ) -> assemble_.Assembled:
        """The tree, in which sites that ask for an address that nginx cannot have are set aside.

        denied: what is known of that; what else is asked for is tried before nginx would.
        """
        env = self._describe_environment(desired.globals)
        # This ends: what is found is not asked for again.
        while True:
            assembled = await asyncio.to_thread(
                assemble_.assemble_files,
                desired,
                env,
                last_good=actual.files or {},
                denied=denied,
                memory=self._rendered,
            )
            if plan.choose_activation(assembled.files, actual) is plan.Activation.NOTHING:
                return assembled
            untried = listeners.find_untried(assembled.files, actual) - denied.keys()
            found = await self._listening.find_denied(untried)
            if not found:
                return assembled
            denied = {**denied, **{one.address: one for one in found}}

    async def switch(
        self,
        desired: model.Desired,
        assembled: assemble_.Assembled,
        actual: model.Actual,
        *,
        urgency: generations.Urgency = generations.Urgency.NEEDED,
    ) -> Switched:
        """Make nginx run the tree. When it cannot listen where only single sites ask for, without these."""
        while True:
            try:
                return await self._try_switch(desired, assembled, actual, urgency)
            except ports.ListenError as error:
                address = error.denied.address
                is_known = address in assembled.denied
                if is_known or not listeners.is_for_single_files(address, assembled.files, assembled.last_good):
                    raise
                actual = await self._proxy.read_actual()
                denied = {**assembled.denied, address: error.denied}
                assembled = await self.assemble(desired, actual, denied)

    async def _try_switch(
        self,
        desired: model.Desired,
        assembled: assemble_.Assembled,
        actual: model.Actual,
        urgency: generations.Urgency,
    ) -> Switched:
        """Stage the tree, unless nginx runs it already. Quarantine may leave what runs: then nothing is done either.

        A tree that has to wait was tested all the same: what is wrong with it is told at once.
        """
        staged = quarantine.Staged(files=assembled.files)
        activation = plan.choose_activation(assembled.files, actual)
        if activation is not plan.Activation.NOTHING:
            staged = await quarantine.stage_with_quarantine(
                self._proxy,
                desired,
                assembled.files,
                last_good=assembled.last_good,
                unavailable=assembled.unavailable,
                known=assembled.definitions,
            )
            activation = plan.choose_activation(staged.files, actual)
        held = None
        if activation is plan.Activation.RELOAD:
            held = await self._admission.admit(desired.globals.old_workers, urgency)
        if held is None:
            self._admission.withdraw()
        else:
            activation = plan.Activation.NOTHING
        return Switched(
            files=staged.files,
            refused=(*assembled.refused, *staged.refused),
            denied=assembled.denied,
            activation=activation,
            generation=actual.generation if activation is plan.Activation.NOTHING else await self._proxy.activate(),
            held=held,
        )
