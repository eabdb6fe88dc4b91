"""One change of many sites of a file at once: each site is edited in a short text of its own, and all of it is checked
as a whole, so that a thousand sites take seconds. As `yaml_edit`, whose contract holds here, too.
"""

import collections.abc
import dataclasses
import itertools
import re

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import (
    added_target,
    yaml_blocks,
    yaml_edit,
    yaml_excerpt,
    yaml_holder,
    yaml_meaning,
    yaml_positions,
    yaml_site_places,
)

_HEAD = "sites:\n"
_MOST_NAMED = 3
_PLAIN_KEY = re.compile(r" +([a-z0-9][a-z0-9.-]*):(?: |\n|\Z)")
"""Which host such a site is of is known without reading its YAML."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteSwitch:
    """what: "disable". write: the text with it; None: a site is written in no usual way. read: what the site means
    then. alone: the same of one site, whatever the file is like."""

    what: str
    write: collections.abc.Callable[[yaml_site_places.SitePlaces], str | None]
    read: collections.abc.Callable[[yaml_meaning.SiteValue], object]
    alone: collections.abc.Callable[[yaml_holder.Holder, str], object]


MOST_ALONE = 50
"""Sites that are edited one by one: each reads the whole file."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _EditedSite:
    """key: as it is written. text: the lines of the site afterwards. value: what they mean."""

    key: str
    text: str
    value: object
    is_changed: bool = True


def change(file: yaml_holder.Holder, hosts: collections.abc.Collection[str], made: SiteSwitch) -> int:
    """hosts: as `yaml_holder.host_of` has them; the file has all of them. Returns: how many sites are others than
    before. Raises: ConfigError, the file untouched; EnvironmentProblemError."""
    before = file.files.read(file.path) or b""
    text = yaml_positions.decode(before, [])
    if text is None:
        raise ConfigError(f"cannot edit {file.path}: it is no text")
    lines = text.split("\n")
    starts = yaml_excerpt.find_starts(lines)
    edited: dict[int, _EditedSite] = {}
    left = set(hosts)
    for number, (first, last) in enumerate(itertools.pairwise(starts)):
        found = _edit("\n".join(lines[first:last]), left, made)
        if found is not None:
            edited[number] = found
            left.discard(yaml_holder.host_of(found.key))
    if len(left) > MOST_ALONE:
        raise ConfigError(
            f"cannot {made.what} {len(left)} sites of {file.name} at once: they are written with aliases, braces or "
            f"other YAML that is edited one by one; choose {MOST_ALONE} at most"
        )
    count = sum(one.is_changed for one in edited.values())
    if count:
        parts = [
            edited[number].text if number in edited else "\n".join(lines[first:last])
            for number, (first, last) in enumerate(itertools.pairwise(starts))
        ]
        after = "\n".join([*lines[: starts[0]], *parts, *lines[starts[-1] :]])
        _check(file, text, after, edited.values())
        bom = yaml_edit.BOM if before.startswith(yaml_edit.BOM) else b""
        file.files.replace(file.path, bom + after.encode())
    for host in sorted(left):
        held = file.files.read(file.path)
        made.alone(file, host)
        count += file.files.read(file.path) != held
    return count


def _edit(text: str, hosts: collections.abc.Set[str], made: SiteSwitch) -> _EditedSite | None:
    """None: it is of another site, or means something else without the rest of the file."""
    if (plain := _PLAIN_KEY.match(text)) is not None and plain[1] not in hosts:
        return None
    document = yaml_positions.load(_HEAD + text, is_edited=True)
    keys = yaml_blocks.keys_of(document)
    if len(keys) != 1 or (host := yaml_holder.host_of(keys[0])) not in hosts:
        return None
    site = yaml_meaning.site_of(document, keys[0])
    value = made.read(site)
    if value is yaml_meaning.UNKNOWN:
        return None
    if value == site.value:
        return _EditedSite(key=keys[0], text=text, value=value, is_changed=False)
    written = made.write(yaml_site_places.SitePlaces(_HEAD + text, host))
    if written is None or not written.startswith(_HEAD):
        return None
    return _EditedSite(key=keys[0], text=written.removeprefix(_HEAD), value=value)


def _check(file: yaml_holder.Holder, before: str, after: str, edited: collections.abc.Collection[_EditedSite]) -> None:
    """Raises: ConfigError when the text does not mean what it is to mean, or brings a mistake. Of the sites that stay
    as they are, only those are read that may mean something else elsewhere (`yaml_excerpt`)."""
    before, after = _shorten(before, after, {one.key for one in edited})
    old = yaml_positions.load(before, is_edited=True).value
    sites = old.get(yaml_blocks.SITES) if isinstance(old, dict) else None
    new = yaml_positions.load(after, is_edited=True).value
    if not isinstance(old, dict) or not isinstance(sites, dict) or len({one.key for one in edited}) != len(edited):
        raise ConfigError(f"cannot edit {file.path}: it cannot be read; `daemun check` says why")
    if new != {**old, yaml_blocks.SITES: {**sites, **{one.key: one.value for one in edited}}}:
        raise ConfigError(
            f"cannot edit {file.path}: it is written with YAML that only a person can change; choose fewer sites, or "
            "edit it by hand"
        )
    found = _find_errors(file, after)
    known = {yaml_edit.without_place(one, file.path) for one in _find_errors(file, before)} if found else set()
    if causes := [one.message for one in found if yaml_edit.without_place(one, file.path) not in known]:
        more = f"; and {len(causes) - _MOST_NAMED} more" if len(causes) > _MOST_NAMED else ""
        raise ConfigError(f"cannot edit {file.path}: {'; '.join(causes[:_MOST_NAMED])}{more}")


def _shorten(before: str, after: str, edited: collections.abc.Set[str]) -> tuple[str, str]:
    """Both texts, without the same sites; whole where they have not the form for it."""

    def is_wanted(key: str) -> bool:
        return key in edited or not added_target.is_host(key)

    old, new = yaml_excerpt.make(before, is_wanted), yaml_excerpt.make(after, is_wanted)
    if old is None or new is None or dict(old.left_out) != dict(new.left_out):
        return before, after
    return old.text, new.text


def _find_errors(file: yaml_holder.Holder, text: str) -> list[model.Problem]:
    return [one for one in yaml_edit.parse(file, text).problems if one.severity is model.Severity.ERROR]
