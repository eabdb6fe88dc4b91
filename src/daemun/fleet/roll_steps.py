"""What happens next to a fleet's configuration: decided from values alone, by each node for itself. Pure.

A change is checked by every living node; then it is served by its author's node, and once that confirms it by the
others, one after another, or where there are many a tenth of them at a time. Whatever a node serves is the current
revision, or the change when it is the node's turn.
"""

import collections.abc
import dataclasses
import enum

from daemun.fleet import configuration_values, shared_text
from daemun.sources import three_way_merge

LONGEST_CHECK_S = 60.0
LONGEST_TURN_S = 180.0
"""How long a living node may take. A round with old workers beyond their budget, and ten thousand sites, takes a part
of it."""

_LOOKING = 3
_PARTS = 10
"""Into so many turns the nodes are divided after the first one: a change reaches a hundred in the time of ten."""

_States = configuration_values.ReportState
Files = configuration_values.Files


def choose_served(
    current: configuration_values.Revision | None,
    roll: configuration_values.Roll | None,
    node: str,
    report: configuration_values.NodeReport | None,
) -> configuration_values.Revision | None:
    """The revision that a node serves; None: the fleet has none, and each node has its own file. report: the node's
    last one."""
    if roll is None or roll.base != id_of(current) or node not in roll.serving:
        return current
    has_failed = report is not None and report.id == roll.revision.id and report.state is _States.FAILED
    return current if has_failed else roll.revision


def id_of(current: configuration_values.Revision | None) -> str:
    return "" if current is None else current.id


class RollStep(enum.Enum):
    """WAIT: for a node. GO_ON: with `Judgement.roll`. DONE: every living node serves it. STOP: it is given up."""

    WAIT = "wait"
    GO_ON = "go on"
    DONE = "done"
    STOP = "stop"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """causes: node -> why it is given up."""

    step: RollStep
    roll: configuration_values.Roll
    causes: tuple[tuple[str, str], ...] = ()


def judge_roll(
    roll: configuration_values.Roll,
    reports: collections.abc.Mapping[str, configuration_values.NodeReport],
    living: collections.abc.Set[str],
    *,
    waited_s: float,
) -> Judgement:
    """What its coordinator does. reports: the last of each node. living: the nodes that are heard of, the coordinator
    among them. waited_s: since it did anything."""
    mine = {node: one for node, one in reports.items() if one.id == roll.revision.id}
    return _judge_check(roll, mine, living, waited_s) if roll.turn < 0 else _judge_turn(roll, mine, living, waited_s)


def find_first(roll: configuration_values.Roll, living: collections.abc.Set[str]) -> tuple[str, ...]:
    """The nodes that look first whether anybody coordinates it still."""
    return tuple(node for node in roll.order if node in living)[:_LOOKING]


def _judge_check(
    roll: configuration_values.Roll,
    reports: collections.abc.Mapping[str, configuration_values.NodeReport],
    living: collections.abc.Set[str],
    waited_s: float,
) -> Judgement:
    waits = [node for node in roll.order if node not in reports and node in living]
    is_late = waited_s > LONGEST_CHECK_S
    refused = [(node, one.cause) for node, one in reports.items() if one.state is _States.REFUSED]
    if own := [one for one in refused if one[0] == roll.revision.node]:  # most likely it is wrong everywhere
        return Judgement(step=RollStep.STOP, roll=roll, causes=tuple(own))
    if waits and not is_late:
        return Judgement(step=RollStep.WAIT, roll=roll)
    silent = [(node, f"it does not answer within {LONGEST_CHECK_S:g} s; see daemun's log there") for node in waits]
    if causes := (*sorted(refused), *silent):
        return Judgement(step=RollStep.STOP, roll=roll, causes=causes)
    # Who died follows when it comes back.
    order = tuple(node for node in roll.order if node in reports)
    return Judgement(step=RollStep.GO_ON, roll=dataclasses.replace(roll, order=order, turn=0))


def _judge_turn(
    roll: configuration_values.Roll,
    reports: collections.abc.Mapping[str, configuration_values.NodeReport],
    living: collections.abc.Set[str],
    waited_s: float,
) -> Judgement:
    serving = [reports[node] for node in roll.serving if node in reports]
    if failed := tuple((one.node, one.cause) for one in serving if one.state is _States.FAILED):
        return Judgement(step=RollStep.STOP, roll=roll, causes=failed)
    if waits := [one for one in roll.serving if one not in reports or reports[one].state is not _States.CONFIRMED]:
        cause, late = "it is not heard of any more since it was its turn", [one for one in waits if one not in living]
        if not late and waited_s > LONGEST_TURN_S:
            cause, late = f"it does not confirm within {LONGEST_TURN_S:g} s; see daemun's log there", waits
        step = RollStep.STOP if late else RollStep.WAIT
        return Judgement(step=step, roll=roll, causes=tuple((one, cause) for one in late))
    rest = tuple(one for one in roll.order[roll.turn + 1 :] if one in living)
    order = (*roll.serving, *rest)
    if not rest:
        return Judgement(step=RollStep.DONE, roll=dataclasses.replace(roll, order=order))
    turn = roll.turn + min(len(rest), max(1, len(order) // _PARTS))
    return Judgement(step=RollStep.GO_ON, roll=dataclasses.replace(roll, order=order, turn=turn))


def is_blank(files: Files) -> bool:
    """Whether a machine has nothing that a fleet could agree on."""
    return all(map(shared_text.is_blank, files.values()))


# --- an edit ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MergedFiles:
    """An edit and what was agreed on meanwhile, put together. conflicts: the names of files of which that cannot be."""

    files: Files
    conflicts: tuple[str, ...] = ()


def merge(base: Files | None, mine: Files, theirs: Files) -> MergedFiles:
    """base: the last files of this machine that are part of what was agreed on; None: none ever were, and what the
    machine has is not put together with anything. mine: its files now."""
    if base is None:
        differing = () if is_blank(mine) else tuple(name for name, text in mine.items() if theirs.get(name) != text)
        return MergedFiles(files=theirs, conflicts=differing)
    files, conflicts = dict[str, bytes](), list[str]()
    for name in sorted({*base, *mine, *theirs}):
        old, one, other = base.get(name), mine.get(name), theirs.get(name)
        found: bytes | None
        if one in (old, other):
            found = other
        elif other == old:
            found = one
        else:
            found = None
            if old is not None and one is not None and other is not None:
                found = three_way_merge.merge(old, one, other)
            if found is None:
                conflicts.append(name)
                found = other
        if found is not None:
            files[name] = found
    return MergedFiles(files=files, conflicts=tuple(conflicts))


def describe_conflict(merged: MergedFiles, mine: Files, current: configuration_values.Revision) -> str:
    """Why an edit cannot be put together with what is current."""
    by = f"{current.author} on {current.node}"
    if deleted := [name for name in merged.conflicts if name not in mine]:
        return f"{', '.join(deleted)} was deleted here, and {by} changed it meanwhile; delete it again if it is to go"
    return f"{by} changed the same lines meanwhile"


def find_changed(base: Files | None, mine: Files) -> tuple[str, ...]:
    """The names of the files that an edit changed or made, of which copies are kept where it is not taken."""
    return tuple(name for name, text in mine.items() if base is None or base.get(name) != text)


def find_loss(known: configuration_values.FollowedRevision, current: configuration_values.Revision) -> str:
    """Why what was agreed on is not what this machine followed, though nobody changed it; "": it goes on from that."""
    if current.number > known.number or current.id == known.id:
        return ""
    change = f"from revision {known.number} to " + (
        f"{current.number}" if current.number < known.number else f"another revision {current.number}"
    )
    return f"the fleet's database went back {change}: it was restored, or lost what was written last"


def sign(files: Files, current: configuration_values.Revision | None) -> str:
    """Tells edits apart, by what they were to change."""
    return f"{configuration_values.digest_of(files)} after {id_of(current)}"
