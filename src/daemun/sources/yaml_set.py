"""Keys of daemun.yaml set and unset, of the gate, a site or a route, wherever the file has them; all else stays byte
for byte. As `yaml_edit`, whose contract holds here, too: several keys change at once, or none.
"""

import collections.abc
import dataclasses
import re

from daemun.core import model
from daemun.core.texts import words
from daemun.errors import ConfigError
from daemun.sources import (
    known_apps,
    yaml_edit,
    yaml_excerpt,
    yaml_file,
    yaml_holder,
    yaml_include,
    yaml_meaning,
    yaml_positions,
    yaml_route,
    yaml_site,
    yaml_site_places,
    yaml_splice,
    yaml_top,
    yaml_value_text,
)

UNSET = yaml_meaning.NOTHING
"""Instead of a value: the key is to go."""
Changes = collections.abc.Mapping[str, object]
"""Values as JSON has them, or UNSET, by their keys."""
_NOT_SET = frozenset({"sites", yaml_include.KEY, "routes"})
"""Keys that are more than a value: they have edits of their own."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlace:
    """path: as it is written. index: of one of several routes of this path."""

    path: str
    index: int | None = None


def set_of_site(
    file: yaml_holder.Holder, host: str, changes: Changes, *, route: RoutePlace | None = None
) -> bytes | None:
    """Returns: what the file held."""
    where = f"{words.quoted(host)}" if route is None else f"{words.quoted(host)}, path {words.quoted(route.path)}"
    edit = yaml_edit.SiteEdit(file, host, f"cannot change {where}")
    edit.check_known()
    kind = yaml_site.SITE if route is None else yaml_route.ROUTE
    _check_keys(changes, kind.model_fields, edit.refused)
    is_new = route is not None and route.index is None and edit.entry.lies_over
    if route is not None and route.path not in edit.entry.paths() and not is_new:
        raise edit.refused(f"there is no such route{words.guess(route.path, sorted(edit.entry.paths()))}")
    text: str | None = edit.text
    edited = edit.entry
    for key, value in changes.items():
        places = yaml_site_places.SitePlaces(text or "", edit.host)
        written = None if value is UNSET else _written(key, value, edit.refused)
        read = UNSET if value is UNSET else yaml_value_text.read(value)
        if route is not None and is_new and (route.path not in edited.paths() or _is_last(edited, route, key, value)):
            if value is UNSET and route.path not in edited.paths():
                continue
            entry = None if written is None else yaml_splice.NewEntry(key, written)
            text, after = _change_whole(places, edited, route.path, entry, read)
            edited = yaml_meaning.SiteValue(after)
        elif route is not None:
            text = places.with_route_value(route.path, route.index, key, written)
            edited = yaml_meaning.SiteValue(edited.with_route_value(route.path, route.index, key, read))
        elif written is None:
            text = places.without_value(key)
            edited = yaml_meaning.SiteValue(edited.with_value(key, UNSET))
        else:
            text = places.with_value(key, written)
            edited = yaml_meaning.SiteValue(edited.with_value(key, read))
        if text is None:
            break
    return edit.write(text, edited.value)


def _is_last(site: yaml_meaning.SiteValue, route: RoutePlace, key: str, value: object) -> bool:
    """Whether nothing is left of a route that has no target, so that it is none."""
    found = site.find_route(route.path)
    return value is UNSET and isinstance(found, dict) and [*found] == [key]


def _change_whole(
    places: yaml_site_places.SitePlaces,
    site: yaml_meaning.SiteValue,
    path: str,
    entry: yaml_splice.NewEntry | None,
    read: object,
) -> tuple[str | None, object]:
    """A route without a target, which comes with its first key and goes with its last (entry: None)."""
    if entry is None:
        return places.without_route(path), site.without_route(path)
    return places.with_route(path, (entry,)), site.with_route(path, {entry.key: read})


def set_of_gate(file: yaml_holder.Holder, changes: Changes) -> bytes | None:
    """Keys at the top of daemun.yaml. Returns: what it held."""
    edit = _GateEdit(file)
    _check_keys(changes, yaml_top.FILE.model_fields, edit.refused)
    for key, value in changes.items():
        if value is UNSET:
            edit.remove(key)
        else:
            edit.put(key, _written(key, value, edit.refused), yaml_value_text.read(value))
    return edit.write()


_Refused = collections.abc.Callable[[str], ConfigError]


def _check_keys(changes: Changes, known: collections.abc.Collection[str], refused: _Refused) -> None:
    if not changes:
        raise refused("no key is given")
    names = set(known) - _NOT_SET
    for key in changes:
        if key not in names:
            raise refused(f"there is no key {words.quoted(key)} here{words.guess(key, sorted(names))}")


def _written(key: str, value: object, refused: _Refused) -> yaml_site_places.Value:
    try:
        return yaml_value_text.make(value)
    except ConfigError as error:
        raise refused(f"{words.quoted(key)}: {error}") from error


class _GateEdit:
    """One edit of the top of daemun.yaml: its sites are left out where they are many."""

    def __init__(self, file: yaml_holder.Holder) -> None:
        self._file = file
        self.before = file.files.read(file.path)
        faults: list[yaml_positions.YamlFault] = []
        whole = yaml_positions.decode(self.before or b"", faults)
        if whole is None:
            raise self.refused(f"it {faults[0].message}")
        self._excerpt = yaml_excerpt.make(whole, lambda _: False)
        self._text = whole if self._excerpt is None else self._excerpt.text
        document = yaml_positions.load(self._text, is_edited=True)
        if document.value is None and not document.faults:
            document.value = {}
        if not isinstance(document.value, dict):
            raise self.refused(document.faults[0].message if document.faults else "it is no map")
        self._errors = self._find_errors(self._text)
        self._edited: dict[str, object] = dict(document.value)

    def refused(self, cause: str) -> ConfigError:
        return ConfigError(f"cannot change {self._file.name}: {cause}")

    def put(self, key: str, value: yaml_site_places.Value, read: object) -> None:
        old = self._find(key)
        splice = yaml_splice.SplicedText(self._text)
        new = yaml_splice.NewEntry(key, value)
        if old is not None:
            self._text = splice.replace(old, value)
        elif (first := next(iter(self._entries()), None)) is None:
            self._text = splice.append(new)
        elif yaml_splice.is_flow(first.owner):
            raise self.refused("it is written in braces, which only a person can change")
        else:
            self._text = _above_sites(splice, self._find("sites"), new)
        self._edited[key] = read

    def remove(self, key: str) -> None:
        entry = self._find(key)
        if entry is None:
            return
        if yaml_splice.is_flow(entry.owner) or len(self._entries()) == 1:
            raise self.refused(f"{words.quoted(key)} can be removed by hand only")
        self._text = yaml_splice.SplicedText(self._text).remove(entry, holder=_top(entry))
        self._edited.pop(key, None)

    def write(self) -> bytes | None:
        whole = self._text if self._excerpt is None else self._excerpt.complete(self._text)
        if whole is None or yaml_positions.load(self._text, is_edited=True).value != self._edited:
            raise self.refused("it is written with aliases, tags or other YAML that only a person can change")
        errors = self._find_errors(self._text)
        if causes := [one for key, one in errors.items() if key not in self._errors]:
            raise self.refused("; ".join(causes))
        bom = b"\xef\xbb\xbf" if (self.before or b"").startswith(b"\xef\xbb\xbf") else b""
        self._file.files.replace(self._file.path, bom + whole.encode())
        return self.before

    def _entries(self) -> list[yaml_splice.MapEntry]:
        root = yaml_positions.compose(self._text)
        return yaml_splice.entries(root) if root is not None else []

    def _find(self, key: str) -> yaml_splice.MapEntry | None:
        return next((one for one in self._entries() if one.name == key), None)

    def _find_errors(self, text: str) -> dict[tuple[str | None, str], str]:
        found = yaml_file.parse(
            text,
            file_name=self._file.name,
            base_dir=self._file.path.absolute().parent,
            is_edited=True,
            apps=known_apps.read(self._file.main),
        ).problems
        errors = [one for one in found if one.severity is model.Severity.ERROR]
        return {(one.host, re.sub(r"\b\d+(:\d+)?\b", "", one.message)): one.message for one in errors}


def _top(entry: yaml_splice.MapEntry) -> yaml_splice.MapEntry:
    """The top of the file, as what holds an entry. It has others."""
    return yaml_splice.MapEntry(entry.key, entry.owner, entry.owner)


def _above_sites(splice: yaml_splice.SplicedText, sites: yaml_splice.MapEntry | None, new: yaml_splice.NewEntry) -> str:
    """A new key stands above the sites, which are long, else at the end."""
    if sites is None:
        return splice.append(new)
    start = splice.text.rfind("\n", 0, sites.key.start_mark.index) + 1
    lines = "".join(line + splice.newline for line in new.block(0, splice.step))
    return splice.text[:start] + lines + splice.text[start:]
