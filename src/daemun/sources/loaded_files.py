"""Digests of files that nginx loads once, at a start or reload, and that an owner changes apart from daemun.yaml.

They become part of what is desired, so that such a change is one like any other: `plan` shows it, and `apply`
loads it. Else a CA that was thrown out would stay let in. Blocking, milliseconds.
"""

import collections.abc
import dataclasses
import errno
import glob
import hashlib
import os
import pathlib
import re

from daemun import causes, regular_files
from daemun.core import directive, model
from daemun.core.access import access_levels
from daemun.core.options import catalogue
from daemun.sources import included_files, snippet_files

_LARGEST_DIGESTED_BYTES = 4 << 20
"""Beyond (databases of addresses), size and times decide."""

LARGEST_READ_BYTES = 2 << 20
"""Of a file that daemun reads itself."""

_LOADED = snippet_files.OF_TLS | {
    "auth_jwt_key_file",
    "geoip2",
    "geoip_city",
    "geoip_country",
    "geoip_org",
    "include",
    "js_include",
    "modsecurity_rules_file",
    "xslt_stylesheet",
}
_WITH_PASSWORDS = frozenset(name for name in snippet_files.OF_TLS if name.endswith("password_file"))
"""Few bits of secret: a digest of them in a file could be guessed."""

_NAMED = re.compile(r"(?:^|(?<=[;{}]))\s*(\w+)\s+(?:\"([^\"]+)\"|'([^']+)'|([^\s;{}\"']+))[^;{}]*;", re.MULTILINE)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


def with_digests(
    snapshot: model.Snapshot,
    base: pathlib.Path,
    find_base: collections.abc.Callable[[model.Site], pathlib.Path],
) -> model.Snapshot:
    """The same, with what the files hold now. base: where relative paths start. find_base: where those of a site do."""
    settings = snapshot.globals
    if settings is not None:
        settings = dataclasses.replace(settings, options=catalogue.with_loaded(settings.options, _read))
        if settings.snippet:
            settings = dataclasses.replace(settings, snippet=with_content(settings.snippet, base))
    return dataclasses.replace(
        snapshot, globals=settings, sites=tuple(_of_site(site, settings, find_base(site)) for site in snapshot.sites)
    )


def with_loaded(site: model.Site) -> model.Site:
    """A site that was read before, with what the files hold now that daemun itself reads. Blocking."""
    routes = tuple(
        dataclasses.replace(route, options=catalogue.with_loaded(route.options, _read)) for route in site.routes
    )
    return dataclasses.replace(site, options=catalogue.with_loaded(site.options, _read), routes=routes)


def find_problems(snapshot: model.Snapshot) -> list[model.Problem]:
    """What nginx would wait for while it tests and loads: a pipe in a file's place, which nothing writes into."""
    settings = snapshot.globals or model.Globals()
    written: list[tuple[str | None, model.Snippet]] = [(None, settings.snippet)]
    for site in snapshot.sites:
        if site.enabled:
            written += [(site.host, one) for one in (site.snippet, *(route.snippet for route in site.routes)) if one]
    return [problem for host, nodes in written for line in find(nodes) if (problem := _judge(host, line)) is not None]


def _judge(host: str | None, line: directive.Directive) -> model.Problem | None:
    path = line.args[0].value
    try:
        if not pathlib.Path(path).is_dir():
            regular_files.check(path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            message = f"`{line.name}`: cannot read {path}: it {causes.describe(error)}; name a file"
            return model.Problem(origin=model.Origin(source="file", place=line.beside), message=message, host=host)
    return None  # nginx reports everything else


def _read(path: str) -> bytes | None:
    try:
        return regular_files.read(path, LARGEST_READ_BYTES)
    except OSError:
        return None  # the source reports why


def digest(path: str) -> str:
    """Differs when the file's content does."""
    return _digest(path, (), "/", secret=False)


def _of_site(site: model.Site, settings: model.Globals | None, base: pathlib.Path) -> model.Site:
    # What is guarded is only so if its hand-written nginx is known whole.
    is_complete = access_levels.is_guarded(site, settings or model.Globals())
    routes = tuple(_of_route(route, base, is_complete=is_complete) for route in site.routes)
    options = catalogue.with_loaded(site.options, _read)
    if routes == site.routes and options is site.options and not site.snippet:
        return site
    return dataclasses.replace(
        site, routes=routes, options=options, snippet=with_content(site.snippet, base, is_complete=is_complete)
    )


def _of_route(route: model.Route, base: pathlib.Path, *, is_complete: bool) -> model.Route:
    if (own := catalogue.with_loaded(route.options, _read)) is not route.options:
        route = dataclasses.replace(route, options=own)
    options = catalogue.with_digests(route.action.options, digest)
    if options != route.action.options:
        route = dataclasses.replace(route, action=dataclasses.replace(route.action, options=options))
    if not route.snippet:
        return route
    return dataclasses.replace(route, snippet=with_content(route.snippet, base, is_complete=is_complete))


def with_content(nodes: model.Snippet, base: pathlib.Path, *, is_complete: bool = False) -> model.Snippet:
    """The same hand-written nginx, with what the files that it names hold now. base: as `with_digests`.
    is_complete: with the content of all that it includes."""
    return _with_notes(included_files.expand(nodes, base, is_complete=is_complete))


def _with_notes(nodes: model.Snippet) -> model.Snippet:
    return tuple(note for node in nodes for note in _with_note(node))


def _with_note(node: directive.Node) -> collections.abc.Iterator[directive.Node]:
    if isinstance(node, directive.Comment):
        yield node
        return
    if node.block is not None:
        yield dataclasses.replace(node, block=_with_notes(node.block))
        return
    if _is_loading(node):
        yield directive.Comment(directive.content(digest_of(node)))
    yield node


def find(nodes: model.Snippet) -> collections.abc.Iterator[directive.Directive]:
    """The lines that have a digest (`digest_of`)."""
    for node in nodes:
        if isinstance(node, directive.Comment):
            continue
        if node.block is not None:
            yield from find(node.block)
        elif _is_loading(node):
            yield node


def _is_loading(node: directive.Directive) -> bool:
    path = node.args[0].value if node.args else ""
    return node.name in _LOADED and path.startswith("/") and "$" not in path


def digest_of(node: directive.Directive, base: str = "/") -> str:
    """Differs when what the line loads does. base: where relative paths in it start."""
    path = node.args[0].value
    return _digest(path, (), base, secret=node.name in _WITH_PASSWORDS, follow=node.name == "include")


def _digest(pattern: str, seen: tuple[str, ...], base: str, *, secret: bool, follow: bool = False) -> str:
    """follow: as `include` does, with wildcards and the files that those name. seen: the way there."""
    whole = hashlib.sha256()
    for path in sorted(glob.glob(pattern)) if follow else (pattern,):  # noqa: PTH207 - an absolute pattern
        real = os.path.realpath(path)
        if real in seen:
            continue
        whole.update(f"{path}\0".encode(errors="surrogateescape"))
        try:
            found = pathlib.Path(path).stat()
            if secret or found.st_size > _LARGEST_DIGESTED_BYTES:
                whole.update(f"{found.st_ino} {found.st_size} {found.st_mtime_ns}\0".encode())
                continue
            content = regular_files.read(path)
        except OSError as error:
            whole.update(f"{error.errno}\0".encode())
            continue
        whole.update(hashlib.sha256(content).digest())
        if follow:
            text = _COMMENT.sub("", content.decode(errors="replace"))
            for name, *values in _NAMED.findall(text):
                inner = next(filter(None, values))
                if name in _LOADED and "$" not in inner:
                    inner, deeper = os.path.join(base, inner), (*seen, real)  # noqa: PTH118 - maybe a pattern
                    below = _digest(inner, deeper, base, secret=name in _WITH_PASSWORDS, follow=name == "include")
                    whole.update(below.encode())
    return whole.hexdigest()[:16]
