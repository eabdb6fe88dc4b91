"""What is wrong with a draft, and what it would change. Nothing that runs is touched."""

import collections.abc
import dataclasses
import pathlib
import re
import typing

from daemun.control import draft_port, gate_port
from daemun.core import model
from daemun.errors import DaemunError
from daemun.sources import shielded_work, three_way_merge
from daemun.sources.drafts import draft, draft_overlay
from daemun.sources.history import compared_entries, file_changes, hidden_secrets, secret_masks

Texts = collections.abc.Mapping[pathlib.Path, bytes]
Json = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadDraft:
    """snapshot: what is served of the files; None: nothing of them can be used."""

    problems: tuple[model.Problem, ...]
    snapshot: model.Snapshot | None


class ReviewParts(typing.Protocol):
    """What a review needs of the rest of daemun (`daemun.wiring.draft_parts`). Blocking. Raises: DaemunError."""

    def read(self, texts: Texts) -> ReadDraft:
        """The files with these texts instead of what they hold, as the daemon would read them."""
        ...

    def test(self, snapshot: model.Snapshot, thread: shielded_work.WorkingThread) -> tuple[model.Problem, ...]:
        """What `daemun check` finds beyond reading: certificates, and nginx's verdict. Raises: EndedError."""
        ...

    def compare_nginx(
        self, before: collections.abc.Mapping[str, bytes], after: collections.abc.Mapping[str, bytes]
    ) -> Json:
        """What differs in nginx's files; no secret is in it."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """before, after: what all files hold, and are to hold. version: of all that."""

    before: dict[str, bytes]
    after: dict[str, bytes]
    conflicts: tuple[draft_port.FileConflict, ...]
    version: str


def review(
    parts: ReviewParts,
    gate: gate_port.GatePort,
    overlay: draft_overlay.DraftOverlay,
    compared: Compared,
    thread: shielded_work.WorkingThread,
) -> draft_port.DraftReview:
    """Blocking. Raises: EndedError."""
    changes, written = _compare_files(compared.before, compared.after)
    thread.check()
    found = parts.read(overlay.texts)
    thread.check()
    new = find_new(parts, found)
    problems, plan, error = found.problems, None, None
    nginx: Json = {}
    snapshot = found.snapshot
    if snapshot is None or new:
        error = "it cannot be planned before that is corrected"
    else:
        thread.check()
        tested = parts.test(snapshot, thread)
        known = {_sign(one) for one in found.problems}
        tested = tuple(one for one in tested if _sign(one) not in known)
        problems = (*problems, *tested)
        new = tuple(one for one in tested if one.severity is model.Severity.ERROR)
        try:
            plan = _hide_plan(thread.wait(lambda: gate.plan(instead={snapshot.source: snapshot})), written)
            thread.check()
            nginx = parts.compare_nginx(compared.before, compared.after)
        except DaemunError as failure:
            error = secret_masks.hide(str(failure), written)
    return draft_port.DraftReview(
        version=compared.version,
        problems=hide(problems, written),
        new=hide(new, written),
        changes=changes,
        plan=plan,
        plan_error=error,
        nginx=nginx,
        conflicts=compared.conflicts,
    )


def find_new(parts: ReviewParts, found: ReadDraft) -> tuple[model.Problem, ...]:
    """The errors that the files have not as they are now. Blocking."""
    errors = tuple(one for one in found.problems if one.severity is model.Severity.ERROR)
    if not errors:
        return ()
    present = parts.read({})
    known = {_sign(one) for one in present.problems}
    return tuple(one for one in errors if _sign(one) not in known)


def _sign(problem: model.Problem) -> tuple[str | None, str]:
    """The same wherever its lines are."""
    return problem.host, re.sub(r"\d+", "", problem.message)


# --- without secrets -------------------------------------------------------------------------------------------


def _compare_files(
    before: collections.abc.Mapping[str, bytes], after: collections.abc.Mapping[str, bytes]
) -> tuple[tuple[Json, ...], frozenset[str]]:
    """What differs, and the secrets of both."""
    old, new = hidden_secrets.mask_all(before), hidden_secrets.mask_all(after)
    readable = {name for name in {**old, **new} if old.get(name, "") is not None and new.get(name, "") is not None}
    written = [one.written for masked in (old, new) for file in masked.values() if file for one in file.secrets]
    names = {one: str(number) for number, one in enumerate(dict.fromkeys(written), start=1)}
    sides = [
        hidden_secrets.show_files({name: one for name, one in masked.items() if name in readable}, names)
        for masked in (old, new)
    ]
    changes = file_changes.compare(*sides)
    return tuple(compared_entries.change_json(one) for one in changes), frozenset(written)


def find_secrets(files: collections.abc.Mapping[str, bytes]) -> frozenset[str]:
    """As they are written."""
    masked = hidden_secrets.mask_all(files)
    return frozenset(one.written for file in masked.values() if file for one in file.secrets)


def hide(problems: tuple[model.Problem, ...], written: collections.abc.Set[str]) -> tuple[model.Problem, ...]:
    """Without these secrets."""
    return tuple(
        dataclasses.replace(
            one, message=secret_masks.hide(one.message, written), cure=secret_masks.hide(one.cure, written)
        )
        for one in problems
    )


def without_secrets(
    fault: draft_port.DraftFaultError, overlay: draft_overlay.DraftOverlay
) -> draft_port.DraftFaultError:
    """Its words may quote lines, and whoever applies a draft need not see all that is in the files."""
    written = find_secrets(overlay.read_all())
    return draft_port.DraftFaultError(secret_masks.hide(str(fault), written), hide(fault.problems, written))


def _hide_plan(plan: gate_port.PlanReport, written: collections.abc.Set[str]) -> gate_port.PlanReport:
    """Without lines of nginx: `compare_nginx` has them, with stand-ins for secrets."""
    return dataclasses.replace(
        plan,
        changes=tuple(dataclasses.replace(one, lines=()) for one in plan.changes),
        streams=tuple(dataclasses.replace(one, lines=()) for one in plan.streams),
        steps=tuple(secret_masks.hide(one, written) for one in plan.steps),
        problems=hide(plan.problems, written),
    )


# --- what others changed ---------------------------------------------------------------------------------------


def find_conflicts(
    one: draft.Draft, present: collections.abc.Mapping[str, bytes | None]
) -> tuple[draft_port.FileConflict, ...]:
    """Files of the draft that others changed since. present: what they hold now."""
    return tuple(
        _describe(file, now) for file in one.files if (now := present.get(file.name)) not in (file.base, file.text)
    )


def _describe(file: draft.DraftFile, now: bytes | None) -> draft_port.FileConflict:
    base = file.base or b""
    mine, _ = _compare_files({file.name: base}, {file.name: file.text})
    theirs, _ = _compare_files({file.name: base}, {file.name: now or b""})
    can_be_merged = (
        file.base is not None and now is not None and three_way_merge.merge(base, file.text, now) is not None
    )
    return draft_port.FileConflict(file=file.name, mine=mine, theirs=theirs, can_be_merged=can_be_merged)
