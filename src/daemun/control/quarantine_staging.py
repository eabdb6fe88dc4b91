"""Stage a tree, and when nginx refuses a file of it that can stand alone, stage it with that file replaced."""

import collections
import collections.abc
import dataclasses

from daemun.control import ports
from daemun.core import model, quarantine, variable_definitions
from daemun.core.render import access
from daemun.errors import ApplyError

_MOST_TRIES = 2
"""How often a file is replaced: by its last good version, and by what stands in for that."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """files: the tree nginx accepted. refused: what was replaced in it, and why."""

    files: dict[str, bytes]
    refused: tuple[quarantine.RefusedFile, ...] = ()


async def stage_with_quarantine(
    proxy: ports.Proxy,
    desired: model.Desired,
    files: collections.abc.Mapping[str, bytes],
    *,
    last_good: collections.abc.Mapping[str, bytes],
    unavailable: collections.abc.Mapping[str, bytes],
    known: variable_definitions.Definitions,
) -> Staged:
    """Stage `files`, with the fewest files replaced that make nginx accept it.

    last_good: the tree nginx runs now. unavailable: path -> 503 version of a site's file. known: the variables that
    these may use.
    Raises: ApplyError(stage="test") when what nginx refuses cannot be replaced; nothing that runs was touched.
    """
    tree = dict(files)
    refused: dict[str, _Cause] = {}
    tries: collections.Counter[str] = collections.Counter()
    # This ends: each file is replaced at most twice, by its last good version and then by its 503 page.
    while (failure := await proxy.stage(tree)) is not None:
        if quarantine.can_be_replaced(failure.file):
            at_fault = {str(failure.file): failure}
        else:
            at_fault = await _find_by_trial(
                proxy, desired, tree, last_good=last_good, unavailable=unavailable, known=known
            )
        replaced = tree
        tries.update(list(at_fault))
        for path, words in ((path, words) for path, words in at_fault.items() if tries[path] <= _MOST_TRIES):
            replaced = quarantine.replace_file(
                replaced, path, last_good=last_good, unavailable=unavailable, known=known
            )
            refused.setdefault(path, _find_cause(words, tree.get(path, b"")))
        if replaced == tree:
            cause = _find_cause(failure, tree.get(failure.file or "", b""))
            raise ApplyError(
                f"cannot apply the configuration: nginx refuses it: {cause.placed}",
                stage="test",
                restored=True,
                stderr=failure.message,
            )
        tree = replaced
    return Staged(
        files=tree,
        refused=tuple(
            quarantine.RefusedFile(
                path=path,
                cause=found.words,
                stand_in=_stand_in(path, tree[path], last_good.get(path)),
                place=found.place,
            )
            for path, found in refused.items()
        ),
    )


def _stand_in(path: str, content: bytes, good: bytes | None) -> quarantine.StandIn:
    if path == access.INTERNAL:
        return quarantine.StandIn.CLOSED
    return quarantine.StandIn.LAST_GOOD if content == good else quarantine.StandIn.UNAVAILABLE


async def _find_by_trial(
    proxy: ports.Proxy,
    desired: model.Desired,
    tree: dict[str, bytes],
    *,
    last_good: collections.abc.Mapping[str, bytes],
    unavailable: collections.abc.Mapping[str, bytes],
    known: variable_definitions.Definitions,
) -> dict[str, ports.TestFailure]:
    """The files at fault when nginx names none: all suspects are replaced, then each is put back on trial.

    Empty when the tree is refused even without any hand-written nginx.
    """
    suspects = quarantine.find_suspects(desired, tree, last_good)
    accepted = tree
    for path in suspects:
        accepted = quarantine.replace_file(accepted, path, last_good=last_good, unavailable=unavailable, known=known)
    if not suspects or await proxy.stage(accepted) is not None:
        return {}
    at_fault: dict[str, ports.TestFailure] = {}
    for path in suspects:
        trial = variable_definitions.complete({**accepted, path: tree[path]}, known)
        failure = await proxy.stage(trial)
        if failure is None:
            accepted = trial
        else:
            at_fault[path] = failure
    return at_fault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    words: str
    place: str | None

    @property
    def placed(self) -> str:
        return self.words if self.place is None else f"{self.place}: {self.words}"


def _find_cause(failure: ports.TestFailure, content: bytes) -> _Cause:
    """content: of the file as it was wanted. A place in generated files is shown only where no better one is."""
    place = quarantine.find_place(content, failure.line, failure.message)
    return _Cause(words=_describe(failure) if place is None else failure.message, place=place)


def _describe(failure: ports.TestFailure) -> str:
    place = f" ({failure.file}:{failure.line})" if failure.file and failure.line else ""
    return f"{failure.message}{place}"
