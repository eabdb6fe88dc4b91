"""Lets a node take part in what its fleet agrees on, by a step whenever something changed. Whoever applies waits for
it.
"""

import asyncio
import collections.abc
import contextlib
import os
import re
import typing

import structlog

from daemun.control import gate_port, history_port, shared_changes
from daemun.core import model
from daemun.core.rounds import outcome
from daemun.errors import DaemunError
from daemun.fleet import (
    agreed_files,
    configuration_member,
    configuration_values,
    member_ports,
    roll_steps,
)
from daemun.sources import given_files, shielded_work, yaml_context
from daemun.sources.history import guarded_apply

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_WAIT_S = roll_steps.LONGEST_TURN_S + 30.0
"""How long whoever applies waits while no node does anything: as long as they go on, however many they are."""
_LOOK_S = 30.0
"""At rest."""
_AGAIN_S = 1.0
_COPIES_S = 1.0
"""Between looks at whether a copy that is reported is there still."""
_UNDER_WAY = "the machines are at it still; `daemun fleet status` shows which"
_NOT_BEGUN = (
    "this machine waits for its fleet, which has agreed on no configuration yet, and follows the first one: start a "
    "machine whose daemun.yaml has sites, or write some into that of any; sites of containers' labels need none"
)
_LINE_NUMBER = re.compile(r"\b(?:lines?|columns?) \d+")
_States = member_ports.EditState

FindNew = collections.abc.Callable[[given_files.GivenFiles], str | None]
"""Why this machine could not serve these files, which it can do now; None: it could. Blocking. Raises: DaemunError."""


class Front(typing.Protocol):
    """See `fleet_gate.FleetGate`."""

    def status(self, *, added: bool = True, host: str | None = None) -> gate_port.GateStatus: ...

    def wake(self) -> None: ...

    async def apply_here(self, caller: history_port.Caller | None) -> gate_port.ApplyReport: ...


class ConfigurationKeeper:
    """On one event loop. `run` is a task of the daemon."""

    def __init__(
        self,
        texts: agreed_files.AgreedTexts,
        front: Front,
        find_new: FindNew,
        member: configuration_member.ConfigurationMember,
    ) -> None:
        self._texts = texts
        self._front = front
        self._find_new = find_new
        self._serving = member.serving = _Serving(self)
        self._member = member
        self._changed = asyncio.Event()
        self._done = asyncio.Condition()
        self._requests = 0
        self._answered = 0
        self._changes = 0
        """How often the nodes changed something."""
        self._report = member_ports.StepReport(state=_States.WAITING)
        self._is_overdue = False
        """Nobody waits for the files any more."""
        self._problems: tuple[model.Problem, ...] = ()
        self._copies: tuple[str, ...] = ()
        """That the problems name."""
        self._loop: asyncio.AbstractEventLoop | None = None
        texts.note_difference = self._note_difference

    # --- for the daemon's other parts ------------------------------------------------------------------------------

    def find_problems(self) -> tuple[model.Problem, ...]:
        """Quick; for all threads."""
        return self._problems

    async def settle(self, caller: history_port.Caller | None) -> None:
        """Implements `fleet_gate.Settle`."""
        if caller is not None:
            self._member.caller = caller
        self._requests += 1
        mine = self._requests
        self._changed.set()
        try:
            while not self._is_settled(mine):
                known = self._changes
                async with asyncio.timeout(LONGEST_WAIT_S), self._done:
                    await self._done.wait_for(lambda: self._is_settled(mine) or self._changes != known)  # noqa: B023
        except TimeoutError:
            self._is_overdue = True
            self._problems = await asyncio.to_thread(self._describe)
        finally:
            if self._member.caller is caller:
                self._member.caller = None

    def _is_settled(self, request: int) -> bool:
        return self._answered >= request and self._report.state is not _States.WAITING

    # --- tasks -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never returns."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._changed.clear()
                began = self._requests
                await self._take_step(began)
                await self._rest(_LOOK_S if self._report.pause_s is None else self._report.pause_s)
        finally:
            await asyncio.to_thread(self._member.close)

    async def _rest(self, pause_s: float) -> None:
        """Until something changed, or a copy that is reported was deleted; at most so long."""
        ends_s = asyncio.get_running_loop().time() + pause_s
        while (left_s := ends_s - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _COPIES_S) if self._copies else left_s):
                    await self._changed.wait()
                    return
            if not all(map(os.path.lexists, self._copies)):
                return

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """Notice what other nodes do."""
        changes.follow(configuration_values.PREFIX, take=self._take_changes)

    async def _take_changes(self, keys: collections.abc.Sequence[str]) -> None:
        reports = f"{configuration_values.REPORTS}/"
        if self._member.is_coordinating or not all(key.startswith(reports) for key in keys):
            self._changed.set()
        async with self._done:
            self._changes += 1
            self._done.notify_all()

    async def _take_step(self, began: int) -> None:
        try:
            self._report = _with_words_of(self._report, await shielded_work.run(self._step))
        except DaemunError as error:
            message = "the fleet's configuration is not followed; it is tried again"
            log.error(message, reason=str(error))  # noqa: TRY400 - for people
            self._report = member_ports.StepReport(
                state=_States.UNREACHABLE, pause_s=_AGAIN_S, cause=str(error), digest=self._report.digest
            )
        if self._report.state is not _States.WAITING:
            self._is_overdue = False
        before, self._problems = self._problems, await asyncio.to_thread(self._describe)
        async with self._done:
            self._answered = began
            self._done.notify_all()
        if before != self._problems:
            self._front.wake()

    def _step(self, thread: shielded_work.WorkingThread) -> member_ports.StepReport:
        self._serving.thread = thread
        return self._member.step()

    def _note_difference(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended
                self._loop.call_soon_threadsafe(self._changed.set)

    # --- what people are told --------------------------------------------------------------------------------------

    def _describe(self) -> tuple[model.Problem, ...]:
        """Blocking. Never raises."""
        found = []
        report = self._report
        is_known = report.state in {_States.REFUSED, _States.UNREACHABLE, _States.UNREADABLE}
        if is_known or self._is_overdue:
            # What is written once more, or otherwise, is another problem: commands tell old and new ones apart.
            what = f" (checksum of the file: {report.digest})" if report.digest else ""
            found.append(_problem(f"the file is not live as it is: {report.cause or _UNDER_WAY}{what}"))
        if report.state is _States.NOT_BEGUN:
            found.append(_problem(_NOT_BEGUN, model.Severity.WARNING))
        if report.state is _States.NOT_WRITTEN:
            message = "what the fleet serves is live here, and is not written into this machine's file"
            found.append(_problem(f"{message}: {report.cause}", model.Severity.WARNING))
        with contextlib.suppress(DaemunError):
            current = self._member.current
            copies = self._member.record.list_copies(None if current is None else current.files)
            self._copies = tuple(one.path for one in copies)
            found += map(_describe_copy, copies)
        refused = self._member.refused
        # Where it was made the command said it, or the copy does until it is deleted.
        if refused is not None and refused.node != self._member.node:
            message = f"change {refused.number} of the fleet ({refused.author} on {refused.node}) is served nowhere"
            found.append(_problem(f"{message}: {refused.cause}", model.Severity.WARNING))
        return tuple(found)

    def check(self, files: configuration_values.Files) -> str | None:
        return self._find_new(self._texts.complete(files))

    def serve(
        self,
        files: configuration_values.Files | None,
        caller: history_port.Caller | None,
        thread: shielded_work.WorkingThread,
    ) -> str | None:
        async def look() -> tuple[model.Problem, ...]:
            return self._front.status(added=False).problems

        known = {sign(one) for one in (*thread.wait(look), *self._problems)}
        if files is not None:
            self._texts.complete(files)  # what cannot be put together here is not served: this raises
        self._texts.target = files
        report = thread.wait(lambda: self._front.apply_here(caller))
        new = {
            one.message: one for one in guarded_apply.find_errors(report.problems).values() if sign(one) not in known
        }
        refusal = guarded_apply.find_refusal(
            guarded_apply.AppliedFiles(errors=new, error=report.error, unread=report.unread), frozenset()
        )
        return None if refusal is None else outcome.without_rest(refusal)


class _Serving:
    """Implements `member_ports.ServingPort`. thread: in which the step is taken."""

    def __init__(self, keeper: ConfigurationKeeper) -> None:
        self._keeper = keeper
        self.thread: shielded_work.WorkingThread | None = None

    def check(self, files: configuration_values.Files) -> str | None:
        return self._keeper.check(files)

    def serve(self, files: configuration_values.Files | None, caller: history_port.Caller | None) -> str | None:
        assert self.thread is not None
        return self._keeper.serve(files, caller, self.thread)


def _with_words_of(before: member_ports.StepReport, report: member_ports.StepReport) -> member_ports.StepReport:
    """The details of why a database is not reached are others at each look, of two hosts in another order, say: those
    of the first stay while it lasts, or the log would have an error and its end every few seconds."""
    if {before.state, report.state} == {_States.UNREACHABLE} and before.digest == report.digest:
        kind, kind_before = (one.cause.split(": ")[:2] for one in (report, before))
        return before if kind == kind_before else report
    return report


def sign(problem: model.Problem) -> tuple[str | None, str]:
    """The same wherever its lines are."""
    return problem.host, _LINE_NUMBER.sub("", problem.message)


def _describe_copy(one: configuration_values.FileCopy) -> model.Problem:
    if not one.cause:
        message = f"what {one.name} held before this machine joined its fleet is not served, and is kept in {one.path}"
        cure = f"put what the whole fleet is to have of it into {one.name}, and delete the copy"
        return _problem(f"{message}: {cure}", model.Severity.WARNING)
    cure = f"put what you want of it into {one.name}, and delete {one.path}"
    return _problem(f"what was written into {one.name} is not served: {one.cause}; it is kept in {one.path}: {cure}")


def _problem(message: str, severity: model.Severity = model.Severity.ERROR) -> model.Problem:
    origin = model.Origin(source=yaml_context.SOURCE)
    return model.Problem(origin=origin, message=message, severity=severity)
