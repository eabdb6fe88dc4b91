"""Which file of a refused tree is at fault, and what stands in for it (DESIGN.md decision 7). Pure.

Only hand-written nginx can make `nginx -t` fail: a site's snippet lies in the site's own file, what is for all sites in
files of `render.snippets`. nginx names the file for most mistakes and none for some (an unknown variable).
"""

import collections.abc
import dataclasses
import enum
import re

from daemun.core import change_plan, model, serialise, variable_definitions
from daemun.core.render import access, snippets


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

    place: of the hand-written line at fault, where it is known: "daemun.yaml:14:9".
    """

    path: str
    cause: str
    stand_in: StandIn
    cure: str | None = None
    place: str | None = None

    @property
    def reason(self) -> str:
        return f"{self.cause}; {self.cure}" if self.cure else self.cause

    @property
    def placed_reason(self) -> str:
        """The same, with its place in front."""
        return f"{self.place}: {self.reason}" if self.place else self.reason


def can_be_replaced(path: str | None) -> bool:
    """Whether another version of this file can stand in for it without touching any other site."""
    return path is not None and path.startswith((snippets.FOLDER, change_plan.SITES))


def find_suspects(
    desired: model.Desired,
    files: collections.abc.Mapping[str, bytes],
    last_good: collections.abc.Mapping[str, bytes],
) -> tuple[str, ...]:
    """The files with hand-written nginx, or with files of the owner's that nginx reads at once, that differ from their
    last good version, when nginx named none."""
    paths = [*snippets.paths(desired.globals)]
    paths += [access.INTERNAL] if desired.globals.internal_origin != model.NOWHERE else []
    paths += [
        change_plan.site_file(site.host)
        for site in desired.enabled
        if site.snippet or site.tls.clients or any(route.snippet for route in site.routes)
    ]
    return tuple(path for path in paths if path in files and files[path] != last_good.get(path))


_PLACE = re.compile(rb"[;{]  # (?P<place>[^\"\n]+:[0-9]+:[0-9]+)$")
_UNKNOWN_VARIABLE = re.compile(r'unknown "(?P<name>[A-Za-z0-9_]+)" variable')


def find_place(content: bytes, line: int | None, message: str) -> str | None:
    """Where the owner wrote what nginx refuses in a line (from 1) of a file of the tree; None: it is not known.

    The line that closes a block is that block's. Where nginx has no line, the name in the message is searched.
    """
    lines = content.split(b"\n")
    if line is None:
        named = _UNKNOWN_VARIABLE.search(message)
        if named is None:
            return None
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


def replace_file(
    files: collections.abc.Mapping[str, bytes],
    path: str,
    *,
    last_good: collections.abc.Mapping[str, bytes],
    unavailable: collections.abc.Mapping[str, bytes],
    known: variable_definitions.Definitions,
) -> dict[str, bytes]:
    """The tree with the file's last good version; without one, or when that is what was refused, its 503 page.

    unavailable: path -> the 503 version, or what else stands in. known: the variables it may use.
    What restricts who may come in has no last good version: it may have let in more.
    """
    if path == access.INTERNAL:
        return variable_definitions.complete({**files, path: serialise.serialise(model.NOBODY)}, known)
    good = last_good.get(path)
    if good is not None and path.startswith(snippets.FOLDER):
        good = snippets.complete(good, unavailable.get(path, b""))
    if good is None or good == files[path]:
        good = unavailable.get(path, b"")
    return variable_definitions.complete({**files, path: good}, known)
