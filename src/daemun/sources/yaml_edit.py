"""Edits of daemun.yaml by commands: a site or route more or less, switched on or off; all else stays byte for byte.

Every edit returns what the file held before (None: it did not exist), for `restore`. Nothing is written unless the
file differs in exactly what was requested, and has no mistake that it had not before: a mistake of one site keeps no
other from being edited, nor itself from being removed or switched off. Of a long file only an excerpt is read
(`yaml_excerpt`): whether all of it is good is for the caller to find out, and to restore it where it is not.
Raises: ConfigError for a wrong request; EnvironmentProblemError when the file cannot be written.
"""

import collections.abc
import dataclasses
import datetime
import os
import pathlib
import re
import shlex
import typing

from daemun.core import model, value_parsers
from daemun.core.options import from_option, maintenance_option, streams_option
from daemun.core.texts import route_paths, spellings, url_rules, words
from daemun.errors import ConfigError
from daemun.sources import (
    added_target,
    edited_file,
    known_apps,
    nginx_snippet,
    yaml_blocks,
    yaml_excerpt,
    yaml_file,
    yaml_holder,
    yaml_include,
    yaml_meaning,
    yaml_positions,
    yaml_site_places,
    yaml_splice,
)

_MOST_NAMED = 3
BOM = b"\xef\xbb\xbf"
_T = typing.TypeVar("_T")

StrPath = str | os.PathLike[str]
File = StrPath | yaml_holder.Holder
"""daemun.yaml, or the one of its files that is edited."""


class RefusedPartError(ConfigError):
    """part: which part of what was to be added is wrong: "host", "target" or "path"."""

    def __init__(self, message: str, part: str) -> None:
        super().__init__(message)
        self.part = part


def add_route(file: File, host: str, target: str, *, route_path: str = "/", app: str | None = None) -> bytes | None:
    """Let a site lead to a target, or to a folder of files. A site that is not there yet is made, and so is the file.
    app: the application that the target is.

    The same route again changes nothing.
    """
    if (cure := added_target.find_swapped(host, target, route_path)) is not None:
        swapped = f"the name comes first, then where it goes; write `{cure}`"
        raise RefusedPartError(f"cannot add {words.quoted(host)}: {swapped}", "host")
    edit = SiteEdit(file, host, f"cannot add {words.quoted(host)}")
    route_path = route_paths.normal(route_path)
    if (cause := url_rules.check_route_path(route_path)) is not None:
        raise edit.refused(f"path {words.quoted(route_path)} {cause}", "path")
    folder = spellings.folder(target) or (target if added_target.is_folder(target) else None)
    if folder is not None:
        folder = os.path.normpath(pathlib.Path(folder).absolute())
        if not pathlib.Path(folder).is_dir():
            raise edit.refused(f"target {words.quoted(target)} is a folder, and there is none; make it first", "target")
    if edit.is_broken:
        raise edit.refused(f"{edit.mistakes()}; correct that first, or remove the site")
    route = model.Route(
        path=route_path,
        action=model.Files(folder=folder)
        if folder is not None
        else model.Proxy(
            targets=(edit.parsed(lambda text: added_target.parse_target(text, edit.host, route_path), target),)
        ),
    )
    routes = edit.site.routes if edit.site is not None else ()
    there = next((_unplaced(other) for other in routes if other.path == route_path), None)
    value: str | dict[str, str] = target if folder is None else {"files": folder}
    if app is not None:
        if folder is not None:
            raise edit.refused(f"target {words.quoted(target)} is a folder, and `app` is for a server", "target")
        value = {"to": target, "app": app}
    is_there = there == route if app is None else edit.entry.find_route(route_path) == value
    if there is not None and not is_there:
        cure = shlex.join(["daemun", "rm", edit.host, *(("--path", route_path) if len(routes) > 1 else ())])
        there_is = f"it already has a route {words.quoted(route_path)}"
        raise edit.refused(f"{there_is}; remove that one first: `{cure}`", "path")
    if there is not None:
        return edit.before
    lines = value if isinstance(value, str) else tuple(yaml_splice.NewEntry(key, one) for key, one in value.items())
    return edit.write(edit.places.with_route(route_path, lines), edit.entry.with_route(route_path, value))


def lay_over_containers(file: File, host: str) -> bytes | None:
    """Make a site that lies over the one that containers have of its host. Where there is one, nothing changes."""
    edit = SiteEdit(file, host, f"cannot lay {words.quoted(host)} over its containers")
    if edit.is_there:
        return edit.before
    key = from_option.OPTION.name
    text = edit.places.with_site((yaml_splice.NewEntry(key, model.CONTAINERS),))
    return edit.write(text, {key: model.CONTAINERS})


def remove_site(file: File, host: str) -> bytes | None:
    """Take a site with all its routes out of the file."""
    edit = SiteEdit(file, host, f"cannot remove {words.quoted(host)}")
    edit.check_known()
    return edit.write(edit.places.without_site(), yaml_meaning.NOTHING)


def remove_route(file: File, host: str, route_path: str) -> bytes | None:
    """Take one route out of a site that has others."""
    edit = SiteEdit(file, host, f"cannot remove route {words.quoted(route_path)} of {words.quoted(host)}")
    edit.check_known()
    paths = sorted(edit.entry.paths())
    if route_path not in paths:
        same = (one for one in paths if route_paths.normal(one) == route_paths.normal(route_path))
        route_path = next(same, route_path)
    if route_path not in paths:
        listed = f", only {words.listed(map(words.quoted, paths), last='and')}" if paths else ""
        raise edit.refused(f"there is no such route{listed}{words.guess(route_path, paths)}")
    if len(paths) == 1 and not edit.entry.lies_over:
        cure = shlex.join(["daemun", "rm", edit.host])
        raise edit.refused(f"it is the only one; remove the whole site instead: `{cure}`")
    return edit.write(edit.places.without_route(route_path), edit.entry.without_route(route_path))


def set_enabled(file: File, host: str, *, enabled: bool) -> bytes | None:
    """Switch a site on or off."""
    edit = SiteEdit(file, host, f"cannot {'enable' if enabled else 'disable'} {words.quoted(host)}")
    edit.check_known()
    if edit.entry.is_enabled() == enabled:
        return edit.before
    return edit.write(edit.places.with_enabled(enabled=enabled), edit.entry.with_enabled(enabled=enabled))


def set_maintenance(file: File, host: str, *, is_on: bool) -> bytes | None:
    """Close a site for a while, or open it again; what its `maintenance` has besides stays."""
    edit = SiteEdit(file, host, f"cannot {'close' if is_on else 'open'} {words.quoted(host)}")
    edit.check_known()
    now = datetime.datetime.now(datetime.UTC)
    if is_on and edit.site is not None and maintenance_option.OPTION.of(edit.site).is_over(now):
        raise edit.refused(
            "`until` of its `maintenance` has passed; write a later time there, or remove it, and try again"
        )
    if edit.entry.is_in_maintenance() == is_on:
        return edit.before
    return edit.write(edit.places.with_maintenance(is_on=is_on), edit.entry.with_maintenance(is_on=is_on))


def lacks_sites(path: StrPath) -> bool:
    """Whether the file is there and can be read, and has neither sites nor files with some, as an emptied one.
    with `sites: {}` there are none. Blocking."""
    text = yaml_positions.decode(edited_file.read(pathlib.Path(path)) or b"", [])
    if text is None or yaml_excerpt.make(text, lambda _: False) is not None:
        return False
    document = yaml_positions.load(text)
    includes = isinstance(document.value, dict) and yaml_include.KEY in document.value
    return not includes and _is_without_sites(document)


class SiteEdit:
    """One edit of one site on its way: the content of the file, and the way back into it.

    what: "cannot VERB OBJECT", with which every refusal begins. before: the file's bytes; None: it does not exist.
    """

    def __init__(self, file: File, host: str, what: str) -> None:
        self._file = file if isinstance(file, yaml_holder.Holder) else yaml_holder.of_path(file)
        self._path = self._file.path
        self._what = what
        self.before = self._file.files.read(self._path)
        whole = self._decoded(self.before or b"")
        self.host = self._find_host(host, whole)
        self._excerpt = yaml_excerpt.make(whole, self._is_its_key)
        self._text = _with_sites(whole) if self._excerpt is None else self._excerpt.text
        parsed = parse(self._file, self._text)
        self._errors = [item for item in parsed.problems if item.severity is model.Severity.ERROR]
        self._document = yaml_positions.load(self._text, is_edited=True)
        if of_all := [item for item in self._errors if self._is_of_all(item)]:
            raise yaml_file.InvalidFileError(of_all)
        self.places = yaml_site_places.SitePlaces(self._text, self.host)
        if len(self.places.keys) > 1:
            raise self.refused(f"it is there twice; edit {self._path} by hand")
        self._key = next(
            (key for key in yaml_blocks.keys_of(self._document) if yaml_holder.host_of(key) == self.host), None
        )
        self.site = next((site for site in parsed.sites if site.host == self.host), None)

    @property
    def is_there(self) -> bool:
        return self._key is not None

    @property
    def is_broken(self) -> bool:
        """Whether it is there, and nothing of it is served for its mistakes."""
        return self._key is not None and self.site is None

    def mistakes(self) -> str:
        return "; ".join(str(item) for item in self._errors if item.host == self.host) or "it cannot be read"

    @property
    def text(self) -> str:
        """That is edited: the whole file, or an excerpt."""
        return self._text

    @property
    def entry(self) -> yaml_meaning.SiteValue:
        """What is written of the site."""
        return yaml_meaning.site_of(self._document, self._key)

    def check_known(self) -> None:
        """Raises: ConfigError when the file has no such site."""
        if self._key is None:
            left_out = () if self._excerpt is None else self._excerpt.keys
            hosts = {*map(yaml_holder.host_of, yaml_blocks.keys_of(self._document)), *left_out, *self._file.others}
            files = f"{self._file.name} and the files that it includes" if self._file.others else self._file.name
            cause = f"there is no such site in {files}{words.guess(self.host, sorted(hosts))}"
            if self._file.unread:
                unread = words.listed(self._file.unread[:_MOST_NAMED], last="and")
                cause += f"; {unread} cannot be read, see `daemun check`"
            raise self.refused(cause)

    def parsed(self, parse: collections.abc.Callable[[str], _T], text: str, part: str = "target") -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise self.refused(str(error), part) from error

    def refused(self, cause: str, part: str | None = None) -> ConfigError:
        """part: of `RefusedPartError`."""
        text = f"{self._what}: {cause}"
        return ConfigError(text) if part is None else RefusedPartError(text, part)

    def write(self, text: str | None, wanted: object) -> bytes | None:
        """Write the text, if it has for the host what is `wanted` (plain values), and the same as before of all else.
        Returns: what the file held."""
        whole = text if text is None or self._excerpt is None else self._excerpt.complete(text)
        after = yaml_positions.load(text, is_edited=True) if text is not None else None
        expected = yaml_meaning.with_site(self._document, self._key or self.host, wanted)
        if text is None or whole is None or after is None or expected != after.value:
            cause = "is written with aliases, tags or other YAML that only a person can change"
            raise self.refused(f"site {words.quoted(self.host)} {cause}; edit {self._path} by hand")
        earlier = {without_place(item, self._path) for item in self._errors}
        errors = [item for item in parse(self._file, text).problems if item.severity is model.Severity.ERROR]
        if causes := [item.message for item in errors if without_place(item, self._path) not in earlier]:
            raise self.refused("; ".join(causes))
        bom = BOM if (self.before or b"").startswith(BOM) else b""
        self._file.files.replace(self._path, bom + whole.encode())
        return self.before

    def _find_host(self, host: str, text: str) -> str:
        """What is no host name may be the key of a site all the same, which has to be removed."""
        keys = yaml_blocks.keys_of(yaml_positions.load(text)) if not added_target.is_host(host) else []
        return host if host in keys else self.parsed(value_parsers.parse_host, host, "host")

    def _is_of_all(self, problem: model.Problem) -> bool:
        """Whether it keeps the whole file from being applied."""
        is_of_one = problem.host is not None or streams_option.find_name(problem) is not None
        return not is_of_one and not self._is_of_unset(problem)

    def _is_of_unset(self, problem: model.Problem) -> bool:
        """Whether it is about a value that lacks a variable, which the daemon may have in its environment."""
        return any(path[: len(problem.field)] == problem.field for path in self._document.unset if problem.field)

    def _is_its_key(self, key: str) -> bool:
        return not added_target.is_host(key) or yaml_holder.host_of(key) == self.host

    def _decoded(self, content: bytes) -> str:
        faults: list[yaml_positions.YamlFault] = []
        text = yaml_positions.decode(content, faults)
        if text is None:
            raise ConfigError(f"cannot edit {self._path}: it {faults[0].message}")
        return text


def parse(file: yaml_holder.Holder, text: str) -> model.Snapshot:
    """What a text of the file means, and what is wrong with it."""
    return yaml_file.parse(
        text,
        file_name=file.name,
        base_dir=file.path.absolute().parent,
        is_edited=True,
        is_included=file.is_included,
        apps=known_apps.read(file.main),
    )


def without_place(problem: model.Problem, path: pathlib.Path) -> tuple[str | None, str]:
    """The same before and after an edit that moves lines."""
    return problem.host, re.sub(rf"({re.escape(path.name)}:|line )\d+(:\d+)?", "", problem.message)


# --- the text --------------------------------------------------------------------------------------------------


def _with_sites(text: str) -> str:
    """The text with an empty `sites` when it is a map without one, or nothing at all."""
    if not _is_without_sites(yaml_positions.load(text)):
        return text
    return yaml_splice.SplicedText(text).append(yaml_splice.NewEntry("sites", ()))


def _is_without_sites(document: yaml_positions.Document) -> bool:
    is_open = document.value is None or (isinstance(document.value, dict) and "sites" not in document.value)
    return is_open and not document.faults


def _unplaced(route: model.Route) -> model.Route:
    return dataclasses.replace(route, origin=model.NOWHERE, snippet=nginx_snippet.without_places(route.snippet))
