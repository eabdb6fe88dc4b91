"""Which part of a refused tree is at fault, and what stands in for it (DESIGN.md decision 7). Pure.

A part is what can be replaced without touching any other site: a site's own file, one of the files of hand-written
nginx for all sites, and a site that shares its blocks, under the path of the file that it would have. nginx names the
file for most mistakes and none for some (an unknown variable, a certificate that cannot be loaded, a crash).
"""

import collections.abc
import dataclasses
import enum
import re

from daemun.core import model, serialise
from daemun.core.plan import change_plan, generation_files, shared_sites, variable_definitions


class StandIn(enum.Enum):
    """What nginx was given instead of a file, for messages.

    REST: the file without what cannot be had of it. CLOSED: of a file that restricts who may come in.
    """

    LAST_GOOD = "its last good version is served"
    UNAVAILABLE = "a 503 page is served instead"
    REST = "it is served without that"
    NOTHING = "it is not served"
    CLOSED = "no visitor is let in where NETWORK_ACCESS is internal"

    @property
    def is_serving(self) -> bool:
        """Whether requests for it still go where they should."""
        return self in {StandIn.LAST_GOOD, StandIn.REST}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file that cannot be had. path: in the tree. cause: why, in nginx's words or ours. cure: what to do, or None.

    place: of the hand-written line at fault, where it is known: "daemun.yaml:14:9". may_pass: as in
    nginx_port.TestFailure.
    """

    path: str
    cause: str
    stand_in: StandIn
    cure: str | None = None
    place: str | None = None
    may_pass: bool = False

    @property
    def reason(self) -> str:
        return f"{self.cause}; {self.cure}" if self.cure else self.cause

    @property
    def placed_reason(self) -> str:
        """The same, with its place in front."""
        return f"{self.place}: {self.reason}" if self.place else self.reason


def can_be_replaced(path: str | None) -> bool:
    """Whether another version of this file can stand in for it without touching any other site."""
    prefixes = (generation_files.SNIPPETS, generation_files.SITES, generation_files.STREAMS)
    return path is not None and path.startswith(prefixes)


Files = collections.abc.Mapping[str, bytes]


def find_parts(files: Files) -> dict[str, bytes]:
    """Every part of a tree, with what is written of it."""
    return {path: content for path, content in change_plan.expand(files).items() if can_be_replaced(path)}


def find_changed(files: Files, last_good: Files) -> frozenset[str]:
    """The parts that differ from their last good version, or have none: nginx refuses a tree for one of these, unless
    the machine changed."""
    before = shared_sites.read(last_good)
    now = shared_sites.read(files)
    own = (path for path in files if can_be_replaced(path))
    changed = {path for path in own if not change_plan.is_same(files[path], last_good.get(path))}
    shared = {change_plan.site_file(host) for host, entry in now.items() if before.get(host) != entry}
    return frozenset(changed | shared)


_QUOTED = re.compile(r'"([^"\s]+)"')


def split(paths: collections.abc.Sequence[str], parts: Files, message: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two or more parts in two groups; the part at fault is rather in the second one.

    message: nginx's words. What it quotes (a path, a name) is written in the part at fault more often than not.
    """
    quoted = [word.encode() for word in _QUOTED.findall(message)]
    named = tuple(path for path in paths if any(word in parts[path] for word in quoted))
    if named and len(named) < len(paths):
        chosen = frozenset(named)
        return tuple(path for path in paths if path not in chosen), named
    half = len(paths) // 2
    return tuple(paths[:half]), tuple(paths[half:])


_PLACE = re.compile(rb"[;{]  # (?P<place>[^\"\n]+:[0-9]+:[0-9]+)$")
_UNKNOWN_VARIABLE = re.compile(r'unknown "(?P<name>[A-Za-z0-9_]+)" variable')


def find_place(content: bytes, line: int | None, message: str) -> str | None:
    """Where the owner wrote what nginx refuses in a line (from 1) of a file of the tree; None: it is not known.

    The line that closes a block is that block's. Where nginx has no line, what the message quotes is searched.
    """
    lines = content.split(b"\n")
    if line is None:
        named = _UNKNOWN_VARIABLE.search(message)
        if named is None:
            quoted = [word.encode() for word in _QUOTED.findall(message)]
            numbers = [number for number, written in enumerate(lines) if any(word in written for word in quoted)]
        else:
            use = re.compile(rb"\$(?:\{%(name)b\}|%(name)b\b)" % {b"name": named["name"].encode()})
            numbers = [number for number, written in enumerate(lines) if use.search(written)]
    else:
        numbers = [_opening(lines, line - 1)]
    places = (_PLACE.search(lines[number]) for number in numbers if number < len(lines))
    return next((match["place"].decode() for match in places if match is not None), None)


def _opening(lines: list[bytes], number: int) -> int:
    """Of the block that a line closes; any other line itself."""
    if number >= len(lines) or lines[number].strip() != b"}":
        return number
    indentation = lines[number][:-1] if lines[number].endswith(b"}") else b""
    above = (one for one in range(number - 1, -1, -1) if lines[one].startswith(indentation) and b"{" in lines[one])
    return next((one for one in above if not lines[one][len(indentation) :].startswith(b" ")), number)


def find_stand_ins(path: str, wanted: bytes | None, *, last_good: Files, unavailable: Files) -> tuple[bytes, ...]:
    """What can stand instead of a part, the best first. The last one is the least that can be had: nothing of a site.

    wanted: what was refused; None: a site that shares its blocks. unavailable: path -> the 503 page of a site, or what
    a file of hand-written nginx is replaced by.
    What restricts who may come in has no last good version: it may have let in more.
    """
    if path == generation_files.INTERNAL_CLIENTS:
        return (serialise.serialise(model.NOBODY),)
    good, page = last_good.get(path), unavailable.get(path, b"")
    if path.startswith(generation_files.SNIPPETS):
        good = None if good is None or good == wanted else _with_needed(good, page)
        return (page,) if good is None or good in {page, wanted} else (good, page)
    kept = (content for content in (good, page) if content and content != wanted)
    return (*dict.fromkeys(kept), b"")


def _with_needed(good: bytes, ours: bytes) -> bytes:
    """A file's last good version with those lines of `main.stand_in` that it does not replace itself; these alone where
    they are servers."""
    if b"{" in ours:
        return ours
    subjects = {_subject(line) for line in good.splitlines()}
    return good + b"".join(line for line in ours.splitlines(keepends=True) if _subject(line) not in subjects)


def _subject(line: bytes) -> tuple[bytes, ...]:
    """nginx takes most directives once, and the lists of headers once for each header."""
    words = line.lower().split()
    return tuple(words[: 2 if words and words[0].endswith(b"_set_header") else 1])


def replace_parts(files: Files, replacements: Files, *, known: variable_definitions.Definitions) -> dict[str, bytes]:
    """The tree with other versions of some parts. replacements: path -> content; nothing of a site that shares its
    blocks needs no file. known: the variables that they may use."""
    if not replacements:
        return dict(files)
    hosts = shared_sites.read(files).keys() & {change_plan.host_of(path) for path in replacements}
    others = {path: content for path, content in replacements.items() if content or path in files}
    return variable_definitions.complete({**shared_sites.without(files, hosts), **others}, known)
