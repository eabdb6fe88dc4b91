"""What differs between two versions of daemun.yaml and the files that it includes, for people: sites first. Pure.

Secrets are hidden in both (`hidden_secrets`).
"""

import collections.abc
import dataclasses
import difflib
import itertools
import re

from daemun.core.plan import change_plan
from daemun.sources import yaml_excerpt
from daemun.sources.history import history_entry

Texts = collections.abc.Mapping[str, str]
"""Of files, by their names: the first is daemun.yaml."""

_TOP = re.compile(r"""(?:(["'])(?P<quoted>.+?)\1|(?P<plain>[^\s#:"'][^:]*?))\s*:(?:\s|$)""")
_HEAD = ""
_SITES = "sites"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """name: of a site, or of a key at the top. file: where it stands afterwards, or stood. is_site: the former.
    lines: "- " before those that go, "+ " before those that come."""

    name: str
    kind: change_plan.ChangeKind
    file: str
    is_site: bool
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    file: str
    lines: tuple[str, ...]


def compare(before: Texts, after: Texts) -> tuple[FileChange, ...]:
    """Sites by host, then what stands beside them, in the order of the files."""
    old_sites, old_others = _split_all(before)
    new_sites, new_others = _split_all(after)
    sites = sorted(name for name in {**old_sites, **new_sites} if old_sites.get(name) != new_sites.get(name))
    others = [key for key in {**old_others, **new_others} if old_others.get(key) != new_others.get(key)]
    return (
        *(_change(name, old_sites.get(name), new_sites.get(name), is_site=True) for name in sites),
        *(_change(name, old_others.get((file, name)), new_others.get((file, name))) for file, name in others),
    )


def _change(name: str, old: _Part | None, new: _Part | None, *, is_site: bool = False) -> FileChange:
    either = new or old
    assert either is not None
    kinds = change_plan.ChangeKind
    kind = kinds.ADDED if old is None else kinds.REMOVED if new is None else kinds.CHANGED
    moved = (f"  moved from {old.file}",) if old is not None and new is not None and old.file != new.file else ()
    lines = tuple(_diff(() if old is None else old.lines, () if new is None else new.lines))
    return FileChange(name=name or either.file, kind=kind, file=either.file, is_site=is_site, lines=(*moved, *lines))


def _diff(old: tuple[str, ...], new: tuple[str, ...]) -> collections.abc.Iterator[str]:
    for line in itertools.islice(difflib.unified_diff(old, new, n=0, lineterm=""), 2, None):
        if not line.startswith("@@"):
            yield f"{line[0]} {line[1:]}"


def _split_all(files: Texts) -> tuple[dict[str, _Part], dict[tuple[str, str], _Part]]:
    sites: dict[str, _Part] = {}
    others: dict[tuple[str, str], _Part] = {}
    for file, text in files.items():
        found, rest = _split(text)
        for name, lines in found.items():
            # A host that two files have is a mistake in the later one, and shows there.
            if name in sites:
                rest[name] = lines
            else:
                sites[name] = _Part(file=file, lines=lines)
        others |= {(file, name): _Part(file=file, lines=lines) for name, lines in rest.items()}
    return sites, others


def _split(text: str) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The lines of each site, and those of each key at the top."""
    lines = text.split("\n")
    starts = yaml_excerpt.find_starts(lines)
    sites: dict[str, tuple[str, ...]] = {}
    for first, last in itertools.pairwise(starts):
        sites[_name(lines[first].strip()) or lines[first]] = _trimmed(lines[first:last])
    others: dict[str, list[str]] = {_HEAD: []}
    name = _HEAD
    within = range(starts[0], starts[-1]) if starts else range(0)
    for number, line in enumerate(lines):
        if number not in within:
            name = _name(line) or name
            others.setdefault(name, []).append(line)
    if starts and len(_trimmed(others[_SITES])) == 1:
        del others[_SITES]  # the line above the sites
    return sites, {key: trimmed for key, some in others.items() if (trimmed := _trimmed(some))}


def _trimmed(lines: collections.abc.Sequence[str]) -> tuple[str, ...]:
    """Without blank lines at the end."""
    end = next((number for number in range(len(lines), 0, -1) if lines[number - 1].strip()), 0)
    return tuple(lines[:end])


def _name(line: str) -> str | None:
    match = _TOP.match(line)
    return None if match is None else match["quoted"] or match["plain"]


# --- containers ------------------------------------------------------------------------------------------------


def compare_routes(
    before: history_entry.HistoryEntry, after: history_entry.HistoryEntry
) -> tuple[tuple[str, str], ...]:
    """What containers requested otherwise: "+" or "-", and in words."""
    gone, come = set(before.routes) - set(after.routes), set(after.routes) - set(before.routes)
    found = [("-", one) for one in gone] + [("+", one) for one in come]
    found.sort(key=lambda one: (one[1].host, one[1].path, one[0]))
    return tuple((sign, f"{one.host}{'' if one.path == '/' else f' {one.path}'} ({one.origin})") for sign, one in found)
