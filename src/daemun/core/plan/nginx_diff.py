"""What differs between nginx's files of two configurations, as a person reads it: sites first. Pure."""

import collections.abc
import dataclasses
import difflib
import itertools

from daemun.core.plan import change_plan, generation_files

CONTEXT = 2
"""Lines before and after each change."""
MOST_FILES = 20
MOST_LINES = 1000
"""Of one file. That of a new site has some 600."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """file: its path. lines: of a unified diff, without its head. more: how many were left out."""

    file: str
    kind: change_plan.ChangeKind
    lines: tuple[str, ...]
    more: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """files: the first of those that differ. more: how many others do."""

    files: tuple[FileDiff, ...] = ()
    more: int = 0


def compare(
    before: collections.abc.Mapping[str, bytes],
    after: collections.abc.Mapping[str, bytes],
    *,
    moved: collections.abc.Set[str] = frozenset(),
) -> TreeDiff:
    """Paths -> contents. A site that shares its lines with others is shown as if it had a file. Comments, which have
    the lines of daemun.yaml, do not count and are not shown. moved: as of `change_plan.diff_files`."""
    before, after = change_plan.expand(before), change_plan.expand(after)
    differing = [path for path in {**before, **after} if not change_plan.is_same(after.get(path), before.get(path))]
    ordered = sorted(set(differing) - moved, key=lambda path: (_rank(path), path))
    shown = ordered[:MOST_FILES]
    return TreeDiff(
        files=tuple(_compare_file(path, before.get(path), after.get(path)) for path in shown),
        more=len(ordered) - len(shown),
    )


def _rank(path: str) -> int:
    of_kinds = (generation_files.SITES, generation_files.STREAMS)
    return next((rank for rank, folder in enumerate(of_kinds) if path.startswith(folder)), len(of_kinds))


def _compare_file(path: str, before: bytes | None, after: bytes | None) -> FileDiff:
    kinds = change_plan.ChangeKind
    kind = kinds.ADDED if before is None else kinds.REMOVED if after is None else kinds.CHANGED
    old, new = (_lines(content) for content in (before, after))
    found = list(itertools.islice(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""), 2, None))
    return FileDiff(file=path, kind=kind, lines=tuple(found[:MOST_LINES]), more=max(len(found) - MOST_LINES, 0))


def _lines(content: bytes | None) -> list[str]:
    text = change_plan.without_comments(content or b"").decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]
