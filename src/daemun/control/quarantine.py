"""Stage a tree, and when nginx refuses a file of it that can stand alone, stage it with that file replaced."""

import collections.abc
import dataclasses

from daemun.control import ports
from daemun.core import model, quarantine
from daemun.errors import ApplyError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """files: the tree nginx accepted. refused: what was replaced in it, and why."""

    files: dict[str, bytes]
    refused: tuple[quarantine.Refused, ...] = ()


async def stage_with_quarantine(
    proxy: ports.Proxy,
    desired: model.Desired,
    files: collections.abc.Mapping[str, bytes],
    *,
    last_good: collections.abc.Mapping[str, bytes],
    unavailable: collections.abc.Mapping[str, bytes],
) -> Staged:
    """Stage `files`, with the fewest files replaced that make nginx accept it.

    last_good: the tree nginx runs now. unavailable: path -> 503 version of a site's file.
    Raises: ApplyError(stage="test") when what nginx refuses cannot be replaced; nothing that runs was touched.
    """
    tree = dict(files)
    refused: dict[str, str] = {}
    # Each file is replaced at most twice: by its last good version, then by its 503 page.
    for _ in range(2 * len(files) + 1):
        failure = await proxy.stage(tree)
        if failure is None:
            return Staged(
                files=tree, refused=tuple(quarantine.Refused(path=path, reason=why) for path, why in refused.items())
            )
        path = failure.file
        if path is None or not quarantine.can_be_replaced(path):
            path = await _find_by_trial(proxy, desired, tree, failure, last_good=last_good, unavailable=unavailable)
        replaced = quarantine.replace_file(tree, path, last_good=last_good, unavailable=unavailable) if path else tree
        if path is None or replaced == tree:
            break
        refused.setdefault(path, _describe(failure))
        tree = replaced
    raise ApplyError(
        f"cannot apply the configuration: nginx refuses it: {_describe(failure)}",
        stage="test",
        restored=True,
        stderr=failure.message,
    )


async def _find_by_trial(
    proxy: ports.Proxy,
    desired: model.Desired,
    tree: dict[str, bytes],
    failure: ports.TestFailure,
    *,
    last_good: collections.abc.Mapping[str, bytes],
    unavailable: collections.abc.Mapping[str, bytes],
) -> str | None:
    """The file at fault when nginx names none: the one whose replacement changes nginx's answer."""
    for path in quarantine.find_suspects(desired, tree, last_good):
        trial = quarantine.replace_file(tree, path, last_good=last_good, unavailable=unavailable)
        answer = await proxy.stage(trial)
        if answer is None or (answer.file, answer.message) != (failure.file, failure.message):
            return path
    return None


def _describe(failure: ports.TestFailure) -> str:
    place = f" ({failure.file}:{failure.line})" if failure.file and failure.line else ""
    return f"{failure.message}{place}"
