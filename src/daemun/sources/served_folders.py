"""Folders of `files` and `php`, and files of `respond`, whose visitors would get 404 or 403: those that are not there,
those that nginx's workers may not enter, and folders of a whole site that have files and no front page. nginx finds out
at the first request only, and reports it in its error log alone."""

import contextlib
import itertools
import pathlib

from daemun import errors
from daemun.core import directive, model, problem_report
from daemun.core.options import catalogue, index_option, listing_option, page_file, spa_option, user_option
from daemun.core.texts import words
from daemun.sources import snippet_files


def find_problems(snapshot: model.Snapshot, find_worker: snippet_files.FindWorker) -> list[model.Problem]:
    """Warnings: the site is served, and the folder may come. Blocking, microseconds a folder."""
    served = [
        (site, route, route.action)
        for site in snapshot.sites
        if site.enabled
        for route in site.routes
        if isinstance(route.action, model.Files | model.Respond) or _is_php(route.action)
    ]
    pages = [*catalogue.find_pages(snapshot)]
    if not served and not pages:
        return []
    worker = None
    with contextlib.suppress(errors.EnvironmentProblemError):  # reported where nginx is to be started
        worker = find_worker(user_option.OPTION.of(snapshot.globals or model.Globals()))
    written = snapshot.globals.snippet if snapshot.globals is not None else ()
    found = [
        _warn(site, route, cause)
        for site, route, action in served
        if (cause := _find_cause_of(site, route, action, worker, written)) is not None
    ]
    return [*found, *(problem for page, held in pages if (problem := _judge_page(page, held, worker)) is not None)]


def _judge_page(
    page: page_file.PageFile, held: catalogue.SetOption, worker: model.WorkerAccount | None
) -> model.Problem | None:
    """Of one that is not there, the source has an error."""
    try:
        closed = snippet_files.find_closed(pathlib.Path(page.path).resolve(), worker)
    except OSError:
        return None
    if closed is None or (held.site is not None and not held.site.enabled):
        return None
    cause = f"{closed}; until then the gate's own page is shown"
    return problem_report.describe(held.site, held.field, cause, severity=model.Severity.WARNING, file=page.path)


def _find_cause_of(
    site: model.Site,
    route: model.Route,
    action: model.Action,
    worker: model.WorkerAccount | None,
    written: model.Snippet,
) -> str | None:
    if isinstance(action, model.Proxy) and action.php is not None:
        return _find_cause(action.php.folder, worker) or _find_no_front(action.php)
    if isinstance(action, model.Files):
        return _find_cause(action.folder, worker) or _find_no_page(site, route, action, written)
    file = action.file if isinstance(action, model.Respond) else None
    return None if file is None else _find_cause_of_file(pathlib.Path(file), worker)


def _is_php(action: model.Action) -> bool:
    return isinstance(action, model.Proxy) and action.php is not None


def _find_no_front(php: model.Php) -> str | None:
    """Of a folder that the PHP server sees by another path, what is here is the same: the gate looks here."""
    folder = pathlib.Path(php.folder)
    try:
        if php.front is None or (folder / php.front).is_file() or not any(folder.iterdir()):
            return None
    except OSError:
        return None
    below = next((one for one in ("public", "web", "htdocs", "html") if (folder / one / php.front).is_file()), None)
    cure = f"write `root: {folder / below}`" if below else "correct `root`, or name the script with `front`"
    return f"there is no {php.front} in {folder}, which gets what is no file; {cure}"


def _find_cause_of_file(file: pathlib.Path, worker: model.WorkerAccount | None) -> str | None:
    try:
        if file.is_dir():
            return f"{file} is a folder, and a file is expected; name the one in it, or write `files: {file}`"
        if not file.is_file():
            return f"there is no file {file}; its visitors get 404 until it is there"
        if (closed := snippet_files.find_closed(file.resolve(), worker)) is not None:
            return f"{closed}; until then its visitors get 403"
    except OSError:
        return None  # daemun itself may not look there, and so does not know
    return None


def _find_cause(served: str, worker: model.WorkerAccount | None) -> str | None:
    folder = pathlib.Path(served)
    try:
        if folder.is_file():
            return f"{folder} is a file, and a folder is expected; name the one that it is in"
        if not folder.is_dir():
            home = '; "~" means nothing here, so write the whole path' if "~" in folder.parts else ""
            return f"there is no folder {folder}{home}; its visitors get 404 until it is there"
        closed = snippet_files.find_closed(folder.resolve(), worker)
        if closed is not None:
            return f"{closed}; until then its visitors get 403"
    except OSError:
        return None  # daemun itself may not look there, and so does not know
    return None


_MOST_LOOKED_AT = 1000

_ANSWERING = frozenset({"autoindex", "index", "location", "random_index", "return", "rewrite", "root", "try_files"})
"""Hand-written lines of nginx that may answer "/" otherwise."""


def _find_no_page(site: model.Site, route: model.Route, files: model.Files, of_gate: model.Snippet) -> str | None:
    """A folder without any file is still to be filled, as by the first deployment."""
    if route.path != "/" or listing_option.OPTION.of(files) or _is_answered((*of_gate, *site.snippet, *route.snippet)):
        return None
    folder, pages = pathlib.Path(files.folder), index_option.find_pages(files)
    try:
        if any((folder / page).exists() for page in pages):
            return None
        some = itertools.islice(folder.iterdir(), _MOST_LOOKED_AT)
        others = sorted(name for path in some if not (name := path.name).startswith("."))
    except OSError:
        return None
    if not others:
        return None
    found = next((name for name in others if name.endswith((".html", ".htm"))), None)
    way = f"`index: {found}`, if that is the one" if found is not None else "`listing: true` to show what is in it"
    cures = f"put one there, or write {way}" if not spa_option.OPTION.of(files) else "put one there"
    status = 404 if spa_option.OPTION.of(files) else 403
    named = words.listed([words.quoted(page) for page in pages], last="or")
    return f"{folder} has no {named}, so the front page is {status}; {cures}"


def _is_answered(nodes: model.Snippet) -> bool:
    return any(isinstance(node, directive.Directive) and node.name in _ANSWERING for node in nodes)


def _warn(site: model.Site, route: model.Route, cause: str) -> model.Problem:
    field = (*route.field, catalogue.find_action(route.action).value)
    return model.Problem(
        origin=site.origin,
        message=f"{problem_report.label(field, host=site.host)}: {cause}",
        host=site.host,
        severity=model.Severity.WARNING,
        field=field,
    )
