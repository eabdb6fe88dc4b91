"""nginx files of the running generation that were changed, removed or added by hand. Pure."""

import collections.abc
import dataclasses

from daemun.core import model
from daemun.core.plan import change_plan

MOST_NAMED = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandEdit:
    """file: its path below the generation. kind: what was done to it."""

    file: str
    kind: change_plan.ChangeKind


def find(
    written: collections.abc.Mapping[str, bytes], found: collections.abc.Mapping[str, bytes | None]
) -> tuple[HandEdit, ...]:
    """written: what daemun wrote. found: what is not as it was then; None: it is gone. What differs in comments alone
    is the same to nginx, and stays until the file is written anew."""
    edits: list[HandEdit] = []
    for file in sorted(found):
        before, now = written.get(file), found[file]
        if change_plan.is_same(now, before):
            continue
        kinds = change_plan.ChangeKind
        kind = kinds.ADDED if before is None else kinds.REMOVED if now is None else kinds.CHANGED
        edits.append(HandEdit(file=file, kind=kind))
    return tuple(edits)


def describe(edits: collections.abc.Sequence[HandEdit], folder: str) -> model.Problem:
    """folder: where nginx's files are. edits: at least one."""
    named = ", ".join(f"{one.file} ({one.kind.value})" for one in edits[:MOST_NAMED])
    more = f" and {len(edits) - MOST_NAMED} more" if len(edits) > MOST_NAMED else ""
    cure = (
        "write what is to stay as `nginx:` into daemun.yaml (docs/CONFIGURATION.md, Hand-written nginx), then run "
        "`daemun apply`: it makes the files anew, without what was done by hand"
    )
    return model.Problem(
        origin=model.Origin(source="nginx", place=folder),
        severity=model.Severity.WARNING,
        message=(
            f"nginx files were edited by hand: {named}{more}. nginx does not know of that before its next reload, and "
            f"the next configuration that daemun makes does not have it; {cure}"
        ),
        cure=cure,
    )
