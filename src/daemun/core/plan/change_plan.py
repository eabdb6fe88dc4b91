"""From what is wanted and what is there to the steps between them: values that can be printed, compared and tested.

The order is always: expand (certificates, endpoints), switch (nginx), shrink. So after any prefix of the steps the
running configuration names only things that exist.
"""

import collections.abc
import dataclasses
import difflib
import enum
import re

from daemun.core import model
from daemun.core.options import app_option
from daemun.core.plan import generation_files, shared_sites
from daemun.core.services import dns_service
from daemun.core.texts import names

_COMMENT = re.compile(rb"^[ ]*#(?! Content: ).*\n", re.MULTILINE)
_BESIDE = re.compile(rb'^([^\n]*[;{])  # (?!Content: )[^"\n]+$', re.MULTILINE)
"""A comment behind a directive: the serialiser quotes every word with a space, a semicolon or a #.
`directive.content` is what counts all the same."""


MOST_DETAILED = 50
"""Changed sites of which a plan shows the lines, each with as many as MOST_LINES."""
MOST_LINES = 20


class ChangeKind(enum.Enum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteChange:
    """host: as configured; for a removed site the name of its file, which is the host in all but odd cases.

    lines: what goes of nginx's file ("- ") and what comes ("+ "), where a person looks at the plan.
    apps: the applications whose presets it has then.
    """

    host: str
    kind: ChangeKind
    lines: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind.value} {self.host}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamChange:
    """The same of an entry of `streams`."""

    name: str
    kind: ChangeKind
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind.value} stream {self.name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PrepareCertificates:
    """Every name has a certificate before nginx names it."""

    specs: tuple[model.CertificateSpec, ...]

    def __str__(self) -> str:
        return f"prepare {len(self.specs)} certificate{'s' * (len(self.specs) != 1)}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishEndpoints:
    """Every named server has an answer before nginx queries it."""

    services: tuple[dns_service.Service, ...]

    def __str__(self) -> str:
        hosts = ", ".join(str(service) for service in self.services)
        return f"look up the addresses of {hosts}"


class Activation(enum.Enum):
    """NOTHING: nginx already runs exactly this. TAKE_OVER: another binary takes over from the one that runs."""

    NOTHING = "leave nginx as it is"
    RELOAD = "reload nginx"
    TAKE_OVER = "let another nginx take over"
    START = "start nginx"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """Stage, test, switch, then start or reload, and confirm."""

    how: Activation

    def __str__(self) -> str:
        return self.how.value


Step = PrepareCertificates | PublishEndpoints | Activate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """changes: per site, sorted by host. streams: per stream, sorted by name. files_changed: other nginx files that
    differ. steps: in order."""

    changes: tuple[SiteChange, ...]
    streams: tuple[StreamChange, ...]
    files_changed: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def activation(self) -> Activation:
        return next((step.how for step in self.steps if isinstance(step, Activate)), Activation.NOTHING)


def site_file(host: str) -> str:
    """The path of a site's file in a generation."""
    return f"{generation_files.SITES}{names.slug(host)}.conf"


def stream_file(name: str) -> str:
    """The path of the file of an entry of `streams`."""
    return f"{generation_files.STREAMS}{name}.conf"


def stream_of(path: str) -> str | None:
    """The name of the stream whose file it is; None: it is none's."""
    if not path.startswith(generation_files.STREAMS):
        return None
    return path.removeprefix(generation_files.STREAMS).removesuffix(".conf")


def host_of(path: str) -> str:
    """The name of a site's file: the host, in all but odd cases, and always of a site that can share its blocks."""
    return path.removeprefix(generation_files.SITES).removesuffix(".conf")


def expand(files: collections.abc.Mapping[str, bytes]) -> collections.abc.Mapping[str, bytes]:
    """The tree as if each site that shares its blocks had a file of its own with its lines, instead of the lists."""
    entries = shared_sites.read(files)
    if not entries:
        return files
    expanded = {path: content for path, content in files.items() if path not in shared_sites.LISTS}
    for host, entry in entries.items():
        # As `site_file` would call it: only hosts that can be names of files as they are share blocks.
        expanded[f"{generation_files.SITES}{host}.conf"] = f"{' '.join(entry.names)} {entry.server}\n".encode()
    return expanded


def diff_files(
    desired: model.Desired,
    rendered: collections.abc.Mapping[str, bytes],
    actual: collections.abc.Mapping[str, bytes],
    *,
    moved: collections.abc.Set[str] = frozenset(),
) -> tuple[tuple[SiteChange, ...], tuple[str, ...]]:
    """What differs between two trees: sites by host, and the paths of other files.

    moved: files of sites that came to share their blocks, or to have their own, and are the same to visitors.
    """
    sites = {site_file(site.host): site for site in desired.sites}
    rendered, actual = expand(rendered), expand(actual)
    changes: list[SiteChange] = []
    others: list[str] = []
    for path in sorted({*rendered, *actual}):
        if path in moved or is_same(rendered.get(path), actual.get(path)):
            continue
        if not path.startswith(generation_files.SITES):
            others.append(path)
            continue
        site, kind = sites.get(path), _find_kind(path, rendered, actual)
        host = host_of(path) if site is None else site.host
        apps = () if site is None or kind is ChangeKind.REMOVED else _find_apps(site)
        changes.append(SiteChange(host=host, kind=kind, apps=apps))
    return tuple(changes), tuple(others)


def _find_apps(site: model.Site) -> tuple[str, ...]:
    found = (app_option.find(holder) for holder in (site, *(route.action for route in site.routes)))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def diff_streams(
    rendered: collections.abc.Mapping[str, bytes], actual: collections.abc.Mapping[str, bytes]
) -> tuple[StreamChange, ...]:
    """The entries of `streams` that differ between two trees, by name."""
    paths = sorted(path for path in {*rendered, *actual} if path.startswith(generation_files.STREAMS))
    return tuple(
        StreamChange(
            name=stream_of(path) or path,
            kind=(kind := _find_kind(path, rendered, actual)),
            lines=_lines_between(actual.get(path), rendered.get(path)) if kind is ChangeKind.CHANGED else (),
        )
        for path in paths
        if not is_same(rendered.get(path), actual.get(path))
    )


def _find_kind(
    path: str, rendered: collections.abc.Mapping[str, bytes], actual: collections.abc.Mapping[str, bytes]
) -> ChangeKind:
    if path not in actual:
        return ChangeKind.ADDED
    return ChangeKind.CHANGED if path in rendered else ChangeKind.REMOVED


def with_lines(
    changes: collections.abc.Sequence[SiteChange],
    rendered: collections.abc.Mapping[str, bytes],
    actual: collections.abc.Mapping[str, bytes],
) -> tuple[SiteChange, ...]:
    """The same changes, the first of them with the lines of nginx's files that differ."""
    rendered, actual = expand(rendered), expand(actual)
    detailed = [
        dataclasses.replace(change, lines=_diff_lines(rendered, actual, change.host))
        if change.kind is ChangeKind.CHANGED
        else change
        for change in changes[:MOST_DETAILED]
    ]
    return (*detailed, *changes[MOST_DETAILED:])


def _diff_lines(
    rendered: collections.abc.Mapping[str, bytes], actual: collections.abc.Mapping[str, bytes], host: str
) -> tuple[str, ...]:
    path = site_file(host)
    return _lines_between(actual.get(path), rendered.get(path))


def _lines_between(before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    texts = [without_comments(content or b"").decode("utf-8", "replace") for content in (before, after)]
    old, new = ([line.strip() for line in text.splitlines() if line.strip()] for text in texts)
    found = [line for line in difflib.ndiff(old, new) if line.startswith(("- ", "+ "))]
    if len(found) > MOST_LINES:
        return (*found[:MOST_LINES], f"... {len(found) - MOST_LINES} more lines")
    return tuple(found)


def is_same(rendered: bytes | None, actual: bytes | None) -> bool:
    """Whether nginx would do the same with both versions of a file. They may differ in comments: a line more at the top
    of daemun.yaml moves all sites, whose comments have their lines, and is no reason to reload nginx.

    The serialiser writes every directive on lines of its own, and no line break inside a word.
    """
    if rendered is None or actual is None or rendered == actual:
        return rendered == actual
    return without_comments(rendered) == without_comments(actual)


def without_comments(content: bytes) -> bytes:
    """A file as nginx reads it, but for the digests of files that it loads (`directive.content`)."""
    return _BESIDE.sub(rb"\1", _COMMENT.sub(b"", content))


def _is_same_tree(rendered: collections.abc.Mapping[str, bytes], actual: collections.abc.Mapping[str, bytes]) -> bool:
    return rendered.keys() == actual.keys() and all(is_same(rendered[path], actual[path]) for path in rendered)


def choose_activation(rendered: collections.abc.Mapping[str, bytes], actual: model.Actual) -> Activation:
    """RELOAD also when nginx runs another generation than `current` (a kill between switch and reload)."""
    if actual.pid is None:
        return Activation.START
    if actual.has_successor:
        return Activation.TAKE_OVER
    if not _is_same_tree(rendered, actual.files or {}) or actual.generation != actual.current_generation:
        return Activation.RELOAD
    return Activation.NOTHING


def plan(
    desired: model.Desired,
    rendered: collections.abc.Mapping[str, bytes],
    actual: model.Actual,
    *,
    specs: tuple[model.CertificateSpec, ...],
    services: tuple[dns_service.Service, ...],
    moved: collections.abc.Set[str] = frozenset(),
) -> Plan:
    """The steps from `actual` to `desired`, whose files are `rendered`. moved: as in `diff_files`."""
    changes, others = diff_files(desired, rendered, actual.files or {}, moved=moved)
    return Plan(
        changes=changes,
        streams=diff_streams(rendered, actual.files or {}),
        files_changed=others,
        steps=(
            PrepareCertificates(specs=specs),
            *((PublishEndpoints(services=services),) if services else ()),
            Activate(how=choose_activation(rendered, actual)),
        ),
    )
