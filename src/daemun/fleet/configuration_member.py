"""One node's part in what its fleet serves, step by step: each is decided from what is stored and what the files hold.

Whatever it was doing when it died, the next step goes on from there. Blocking; one thread at a time.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import time
import uuid

import structlog

from daemun import errors
from daemun.control import history_port, ports
from daemun.control.lease import LEASE_S
from daemun.fleet import (
    configuration_files,
    configuration_values,
    followed_files,
    followed_record,
    member_ports,
    roll_steps,
    stored_configuration,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_AGAIN_S, _REPORTS_S = 1.0, 0.2
"""While others are waited for; by who coordinates, for reports, which wake no machine."""
_TAKE_OVER_S = 3.0
Files = configuration_values.Files
_Report = member_ports.StepReport
_States = member_ports.EditState
_Reported = configuration_values.ReportState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """A change of this node's that is under way. files: the machine's, which are part of it."""

    id: str
    files: Files


class ConfigurationMember:
    def __init__(
        self,
        store: ports.Store,
        node: str,
        files: member_ports.LocalFilesPort,
        find_living: collections.abc.Callable[[], collections.abc.Set[str]],
        *,
        now: collections.abc.Callable[[], datetime.datetime],
        monotonic: collections.abc.Callable[[], float] = time.monotonic,
        make_id: collections.abc.Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """find_living: the names of the nodes that are heard of. Raises: EnvironmentProblemError."""
        self.node = node
        self.serving: member_ports.ServingPort
        """Set before the first step."""
        self._find_living = find_living
        self._now = now
        self._monotonic = monotonic
        self._make_id = make_id
        self.record = followed_record.FollowedRecord(store)
        self._files = files
        self._texts = followed_files.FollowedFiles(files, self.record)
        self.caller: history_port.Caller | None = None
        """Who requested what the files hold."""
        self.current: configuration_values.Revision | None = None
        """What the fleet agreed on, as far as it is known."""
        self.refused: configuration_values.RefusedChange | None = None
        self._served: configuration_values.Revision | None = None
        self._is_started = False
        self._stored = stored_configuration.StoredConfiguration(store, node)
        self._edit: _Edit | None = None
        self._refusals: dict[str, str] = {}
        """What was not taken, by `roll_steps.sign`: why."""
        self._acted_at = self._seen_at = self._tried_at = monotonic()

    def start(self) -> Files | None:
        """What is to be served before the first step: the last that was agreed on, as this machine knows it; None: what
        the files hold. Never raises."""
        try:
            self.current = self._stored.find_known()
        except errors.DaemunError as error:
            log.error("what the fleet serves is not known", reason=str(error))  # noqa: TRY400 - for people
            with contextlib.suppress(errors.DaemunError):
                known = self.record.read()
                return known.files if known is not None and known.id else None  # at least it was agreed on once
        with contextlib.suppress(errors.DaemunError):
            self.current = self.record.find_lost(self.current) or self.current
        self._served = self.current
        return None if self.current is None else self.current.files

    def close(self) -> None:
        """Whatever is under way, others may end it."""
        self._stored.release()

    @property
    def is_coordinating(self) -> bool:
        """Whether what other nodes report matters to this one."""
        return self._edit is not None

    # --- one step --------------------------------------------------------------------------------------------------

    def step(self) -> _Report:
        """Do what is due. Raises: DaemunError; the next step tries it again."""
        try:
            shared = self._stored.look(has_all_reports=self.is_coordinating or self._stored.is_held)
        except errors.EnvironmentProblemError as error:
            return self._go_on_alone(error)
        except errors.StoreConflictError:
            return _Report(state=_States.WAITING, pause_s=_AGAIN_S)
        self._seen_at = self._monotonic()
        self.refused = shared.refused
        try:
            if self._bring_back(shared) or self._serve(shared) or self._check(shared) or self._coordinate(shared):
                return _Report(state=_States.WAITING, pause_s=0.0)
            return self._tend_files(shared)
        except errors.StoreUnreachableError as error:
            return self._go_on_alone(error)
        except (errors.StoreConflictError, errors.LeaseLostError, errors.OutcomeUnknownError) as error:
            log.debug("a step of the configuration is tried again", reason=str(error))
            return _Report(state=_States.WAITING, pause_s=_AGAIN_S)

    def _go_on_alone(self, error: errors.DaemunError) -> _Report:
        """Without the database. Who had a change under way has lost its lease after this time, and it is undone."""
        is_on_trial = self._served is not None and self._served.id != roll_steps.id_of(self.current)
        if is_on_trial and self._monotonic() - self._seen_at > LEASE_S:
            self._switch(self.current, None)
        if isinstance(error, errors.UnreadableValueError):
            cause = f"{error}; what was agreed on before is served"
            return _Report(state=_States.UNREACHABLE, pause_s=_AGAIN_S, cause=cause)
        local = self._texts.read()
        if local is None:
            return self._unreadable(_AGAIN_S)
        base = self.record.find(local.own)
        if base is not None and local.shared == base.files:
            return _Report(state=_States.AGREED, pause_s=_AGAIN_S)
        return _Report(
            state=_States.UNREACHABLE,
            pause_s=_AGAIN_S,
            cause=f"{error}; until then this machine serves what the fleet agreed on",
            digest=configuration_values.digest_of(local.shared),
        )

    def _bring_back(self, shared: stored_configuration.SharedConfiguration) -> bool:
        """Before anything older is served."""
        is_known = self._is_started and roll_steps.id_of(shared.current) == roll_steps.id_of(self.current)
        lost = None if is_known else self.record.find_lost(shared.current)
        if lost is None:
            self.current = shared.current
            return False
        log.warning("the fleet's database went back; the revision that it lost is brought back", number=lost.number)
        self._stored.bring_back(shared, lost)
        return True

    # --- what is served --------------------------------------------------------------------------------------------

    def _serve(self, shared: stored_configuration.SharedConfiguration) -> bool:
        roll = shared.roll
        report = shared.reports.get(self.node)
        wanted = roll_steps.choose_served(shared.current, roll, self.node, report)
        is_of_roll = roll is not None and wanted is roll.revision
        if wanted is None or self._is_known(wanted, report, is_of_roll=is_of_roll):
            return False
        cause = self._switch(wanted, self._caller_of(wanted))
        if not is_of_roll:
            if not self._is_started:
                raise errors.EnvironmentProblemError(f"cannot serve what the fleet serves: {cause}")
            return True
        if cause is not None:
            undoing = history_port.Caller(command=f"change {wanted.number} of the fleet not taken, undone")
            self._switch(shared.current, undoing)
        self._stored.report(wanted.id, _Reported.CONFIRMED if cause is None else _Reported.FAILED, cause)
        return True

    def _is_known(
        self,
        wanted: configuration_values.Revision,
        report: configuration_values.NodeReport | None,
        *,
        is_of_roll: bool,
    ) -> bool:
        """Whether it is served, and reported where others wait for that."""
        is_served = self._is_started and roll_steps.id_of(self._served) == wanted.id
        is_reported = report is not None and report.id == wanted.id and report.state is _Reported.CONFIRMED
        return is_served and (is_reported or not is_of_roll)

    def _switch(self, wanted: configuration_values.Revision | None, caller: history_port.Caller | None) -> str | None:
        """Returns: why not all of it is live."""
        before, self._served = self._served, wanted
        is_same = self._is_started and before is not None and wanted is not None and before.files == wanted.files
        self._is_started = True
        if is_same:
            return None
        try:
            return self.serving.serve(None if wanted is None else wanted.files, caller)
        except BaseException as error:
            self._served, self._is_started = before, False  # the next step tries it again
            if isinstance(error, errors.DaemunError):
                return str(error)
            raise

    def _caller_of(self, wanted: configuration_values.Revision) -> history_port.Caller:
        if wanted.node == self.node:
            return self.caller or history_port.Caller(command=wanted.author)
        return history_port.Caller(command=f"{wanted.author} on {wanted.node}", user=wanted.user)

    def _check(self, shared: stored_configuration.SharedConfiguration) -> bool:
        roll, report = shared.roll, shared.reports.get(self.node)
        if roll is None or roll.turn >= 0 or self.node not in roll.order:
            return False
        if report is not None and report.id == roll.revision.id:
            return False
        try:
            cause = self._files.find_obstacle(roll.revision.files) or self.serving.check(roll.revision.files)
        except errors.DaemunError as error:
            cause = str(error)
        self._stored.report(roll.revision.id, _Reported.CHECKED if cause is None else _Reported.REFUSED, cause)
        return True

    # --- the change under way --------------------------------------------------------------------------------------

    def _coordinate(self, shared: stored_configuration.SharedConfiguration) -> bool:
        edit, roll = self._edit, shared.roll
        if edit is not None and shared.current is not None and shared.current.id == edit.id:
            self.record.follow(shared.current, edit.files)
            self._edit = None
        if roll is None:
            self._stored.release()
            return False
        if not self._stored.is_held:
            return self._take_over(roll)
        if edit is None or roll.revision.id != edit.id:
            self._stored.stop(shared, roll, ((roll.revision.node, "its daemun ended in the middle"),), self._now())
            return True
        local = self._texts.read()
        if local is not None and local.shared != edit.files:
            log.info("a change of the fleet's configuration was changed or taken back on the way", reason=edit.id)
            self._stored.take_back(shared, roll)
            return True
        judged = roll_steps.judge_roll(
            roll, shared.reports, self._living(), waited_s=self._monotonic() - self._acted_at
        )
        if judged.step is roll_steps.RollStep.WAIT:
            return False
        if judged.step is roll_steps.RollStep.STOP:
            self._stored.stop(shared, roll, judged.causes, self._now())
            why = "; ".join(f"on {node}: {cause}" for node, cause in judged.causes)
            self._refusals[roll_steps.sign(roll.revision.files, shared.current)] = why
            log.error("a change of the fleet's configuration is not taken", number=roll.revision.number, reason=why)
        elif judged.step is roll_steps.RollStep.DONE:
            self._stored.finish(shared, roll.revision)
            log.info("the fleet serves", number=roll.revision.number, nodes=", ".join(judged.roll.order))
        else:
            self._stored.go_on(shared, judged.roll)
        self._acted_at = self._monotonic()
        return True

    def _take_over(self, roll: configuration_values.Roll) -> bool:
        """Nobody may be coordinating it any more. A few nodes look often: a hundred would hold up who is."""
        is_first = self.node in roll_steps.find_first(roll, self._living())
        if self._monotonic() - self._tried_at < (_TAKE_OVER_S if is_first else LEASE_S):
            return False
        self._tried_at = self._monotonic()
        return self._stored.take_lease()

    def _living(self) -> frozenset[str]:
        return frozenset({self.node, *self._find_living()})

    # --- the files -------------------------------------------------------------------------------------------------

    def _unreadable(self, pause_s: float | None) -> _Report:
        cause = f"{self._texts.unread}; what was agreed on is served"
        return _Report(state=_States.UNREADABLE, pause_s=pause_s, cause=cause)

    def _tend_files(self, shared: stored_configuration.SharedConfiguration) -> _Report:
        pause_s = None if shared.roll is None else self._find_pause()
        local = self._texts.read()
        if local is None:
            return self._unreadable(pause_s)
        mine, current, known = local.shared, shared.current, self.record.find(local.own)
        base = None if known is None else known.files
        if current is None and shared.roll is None and roll_steps.is_blank(mine):
            return _Report(state=_States.NOT_BEGUN)
        if current is None:
            merged = roll_steps.MergedFiles(files=mine)
        else:
            if known is not None and mine != current.files and (lost := roll_steps.find_loss(known, current)):
                names = roll_steps.find_changed(current.files, mine) or (configuration_values.MAIN,)
                return self._texts.put_aside(current, mine, names, configuration_files.CONFLICT, lost)
            merged = roll_steps.merge(base, mine, current.files)
            if merged.files == current.files and not merged.conflicts:
                cause = self._texts.follow(current, mine)
                self._refusals.clear()  # who writes the same once more may have removed the cause
                state = _States.AGREED if cause is None else _States.NOT_WRITTEN
                return _Report(state=state, pause_s=pause_s, cause=cause or "")
        return self._tend_edit(shared, merged, base, mine)

    def _find_pause(self) -> float:
        """While a change is under way."""
        return _REPORTS_S if self._stored.is_held else _AGAIN_S

    def _tend_edit(
        self,
        shared: stored_configuration.SharedConfiguration,
        merged: roll_steps.MergedFiles,
        base: Files | None,
        mine: Files,
    ) -> _Report:
        current, digest = shared.current, configuration_values.digest_of(mine)
        if shared.roll is not None:
            by = shared.roll.revision
            cause = f"another change is under way ({by.author} on {by.node}); it is tried after that"
            return _Report(state=_States.WAITING, pause_s=self._find_pause(), cause=cause, digest=digest)
        names = roll_steps.find_changed(base, mine)
        refusal = self._refusals.get(roll_steps.sign(merged.files, current))
        if current is not None and merged.conflicts and base is None:
            return self._texts.put_aside(current, mine, names, configuration_files.JOINED, "")
        if current is not None and merged.conflicts:
            cause = roll_steps.describe_conflict(merged, mine, current)
            names = names or (configuration_values.MAIN,)
            return self._texts.put_aside(current, mine, names, configuration_files.CONFLICT, cause)
        if current is not None and refusal is not None:
            return self._texts.put_aside(current, mine, names, configuration_files.REFUSED, refusal)
        if refusal is not None:  # there is nothing to go back to
            return _Report(state=_States.REFUSED, cause=refusal, digest=digest)
        self._propose(merged.files, mine)
        pause_s = _AGAIN_S if self._edit is None else 0.0
        cause = "another machine is changing the fleet's configuration; it is tried after that"
        return _Report(state=_States.WAITING, pause_s=pause_s, cause=cause, digest=digest)

    def _propose(self, files: Files, mine: Files) -> None:
        if not self._stored.take_lease():
            return
        shared = self._stored.look()
        if shared.roll is not None or self.current != shared.current:
            self._stored.release()
            return
        caller = self.caller or history_port.Caller(command="edit of daemun.yaml")
        revision = configuration_values.Revision(
            number=1 if shared.current is None else shared.current.number + 1,
            id=self._make_id(),
            files=files,
            author=caller.command,
            user=caller.user,
            node=self.node,
            at=self._now(),
            before=configuration_values.list_passed(shared.current),
        )
        others = sorted(self._living() - {self.node})
        roll = configuration_values.Roll(
            revision=revision, base=roll_steps.id_of(shared.current), order=(self.node, *others)
        )
        self._edit = _Edit(id=revision.id, files=mine)
        self._acted_at = self._monotonic()
        self._stored.begin(shared, roll)
