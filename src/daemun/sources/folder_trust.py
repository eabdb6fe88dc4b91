"""How far the path of a folder of files can be trusted.

Who may write into a folder on the way can put a link in the place of the next one, to the private keys for instance,
while nginx goes on serving. nginx looks at links from the trusted part on, and not at those before: root may have a
link anywhere. Blocking, microseconds.
"""

import dataclasses
import os
import pathlib
import stat

from daemun.core import model
from daemun.core.options import catalogue, page_file


def with_trust(snapshot: model.Snapshot) -> model.Snapshot:
    """The same, with what of each folder can be trusted now."""
    settings = snapshot.globals
    if settings is not None:
        settings = dataclasses.replace(settings, options=catalogue.with_pages(settings.options, _of_page))
    return dataclasses.replace(snapshot, globals=settings, sites=tuple(map(_of_site, snapshot.sites)))


def _of_page(page: page_file.PageFile) -> page_file.PageFile:
    return dataclasses.replace(page, trusted=find_trusted(str(pathlib.Path(page.path).parent)))


def _of_site(site: model.Site) -> model.Site:
    options = catalogue.with_pages(site.options, _of_page)
    if options is not site.options:
        site = dataclasses.replace(site, options=options)
    if any(catalogue.with_pages(route.options, _of_page) is not route.options for route in site.routes):
        routes = (
            dataclasses.replace(route, options=catalogue.with_pages(route.options, _of_page)) for route in site.routes
        )
        site = dataclasses.replace(site, routes=tuple(routes))
    if not any(_has_files(route.action) for route in site.routes):
        return site
    return dataclasses.replace(site, routes=tuple(map(_of_route, site.routes)))


def _has_files(action: model.Action) -> bool:
    is_php = isinstance(action, model.Proxy) and action.php is not None
    return is_php or isinstance(action, model.Files | model.Respond)


def _of_route(route: model.Route) -> model.Route:
    if isinstance(route.action, model.Proxy) and route.action.php is not None:
        php = dataclasses.replace(route.action.php, trusted=find_trusted(route.action.php.folder))
        return dataclasses.replace(route, action=dataclasses.replace(route.action, php=php))
    if isinstance(route.action, model.Respond) and route.action.file is not None:
        trusted = find_trusted(str(pathlib.Path(route.action.file).parent))
        return dataclasses.replace(route, action=dataclasses.replace(route.action, trusted=trusted))
    if not isinstance(route.action, model.Files):
        return route
    return dataclasses.replace(
        route, action=dataclasses.replace(route.action, trusted=find_trusted(route.action.folder))
    )


def find_trusted(folder: str) -> str | None:
    """None: all of it."""
    trusted = pathlib.Path("/")
    for name in pathlib.Path(folder).parts[1:]:
        if not _is_ours_alone(pathlib.Path(os.path.realpath(trusted), name)):
            return str(trusted)
        trusted /= name
    return None


def _is_ours_alone(path: pathlib.Path) -> bool:
    """Whether no other account can replace a path or a folder above it."""
    return all(_holds_only_ours(one.parent, one) for one in (path, *path.parents) if one != one.parent)


def _holds_only_ours(folder: pathlib.Path, entry: pathlib.Path) -> bool:
    """A path that does not exist, or may not be read, is not trusted."""
    ours = {0, os.geteuid()}
    try:
        found = folder.stat()
        if found.st_uid not in ours:
            return False
        if not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return True
        # Where the sticky bit is, as in /tmp, an entry is its owner's (inode(7)).
        return bool(found.st_mode & stat.S_ISVTX) and entry.lstat().st_uid in ours
    except OSError:
        return False
