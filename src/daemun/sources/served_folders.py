"""Folders of `files` whose visitors would get 404 or 403: those that are not there, and those that nginx's workers may
not enter. nginx finds out at the first request only, and tells its error log alone."""

import contextlib
import pathlib

from daemun import errors
from daemun.core import model, problem_report
from daemun.core.options import user_option
from daemun.sources import snippet_files


def find_problems(snapshot: model.Snapshot, find_worker: snippet_files.FindWorker) -> list[model.Problem]:
    """Warnings: the site is served, and the folder may come. Blocking, microseconds a folder."""
    served = [
        (site, route, route.action)
        for site in snapshot.sites
        if site.enabled
        for route in site.routes
        if isinstance(route.action, model.Files)
    ]
    if not served:
        return []
    worker = None
    with contextlib.suppress(errors.EnvironmentProblemError):  # reported where nginx is to be started
        worker = find_worker(user_option.OPTION.of(snapshot.globals or model.Globals()))
    return [
        _warn(site, route, cause) for site, route, files in served if (cause := _find_cause(files, worker)) is not None
    ]


def _find_cause(files: model.Files, worker: snippet_files.Worker | None) -> str | None:
    folder = pathlib.Path(files.folder)
    try:
        if folder.is_file():
            return f"{folder} is a file, and a folder is expected; name the one that it is in"
        if not folder.is_dir():
            return f"there is no folder {folder}; its visitors get 404 until it is there"
        closed = snippet_files.find_closed(folder.resolve(), worker)
        if closed is not None:
            return f"{closed}; until then its visitors get 403"
    except OSError:
        return None  # daemun itself may not look there, and so does not know
    return None


def _warn(site: model.Site, route: model.Route, cause: str) -> model.Problem:
    field = ("routes", route.path, "files")
    return model.Problem(
        origin=site.origin,
        message=f"{problem_report.label(field, host=site.host)}: {cause}",
        host=site.host,
        severity=model.Severity.WARNING,
        field=field,
    )
