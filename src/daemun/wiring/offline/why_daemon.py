"""What the running daemon reports (`GET /status`), as `daemun why` uses it. It alone knows the sites of containers."""

import collections.abc
import dataclasses
import typing

from daemun.core import model, site_overlays, value_parsers
from daemun.core.served import server_answers
from daemun.core.why import url_facts

Json = dict[str, typing.Any]


def view(report: Json | None, host: str | None) -> url_facts.DaemonView | None:
    """host: of the site; None: there is none. None: no daemon runs."""
    if report is None:
        return None
    waiting = report.get("waiting_change")
    words = f"a change waits: {waiting.get('reason')}" if isinstance(waiting, dict) else None
    if words is None and report.get("applying_since"):
        words = f"a change has been under way since {report['applying_since']}"
    entry = next((one for one in _sites(report) if one.get("host") == host), None)
    if entry is None:
        return url_facts.DaemonView(waiting=words)
    certificate = entry.get("certificate") or {}
    return url_facts.DaemonView(
        state=_text(entry.get("state")),
        reason=_text(entry.get("reason")),
        cure=_text(entry.get("cure")),
        certificate=_text(certificate.get("state")),
        certificate_reason=_text(certificate.get("reason") or certificate.get("last_error")),
        waiting=words,
        labels=tuple(_read_labels(entry)),
        unwell=tuple(_read_unwell(entry)),
    )


def _read_unwell(entry: Json) -> collections.abc.Iterator[server_answers.UnwellServer]:
    """Servers that the route's `health` keeps from getting requests."""
    for route in entry.get("routes") or ():
        for one in route.get("servers") or ():
            if one.get("state") == model.Trouble.UNWELL.value:
                number = route.get("entry")
                yield server_answers.UnwellServer(
                    path=str(route.get("path")),
                    entry=number - 1 if isinstance(number, int) else None,
                    server=str(one.get("server")),
                    found=server_answers.ServerFinding(
                        trouble=model.Trouble.UNWELL, cause=_text(one.get("cause")), cure=_text(one.get("cure"))
                    ),
                )


def _read_labels(entry: Json) -> collections.abc.Iterator[url_facts.LabelledRoute]:
    """Of routes that containers have."""
    for route in entry.get("routes") or ():
        names = tuple(one for one in route.get("labels") or () if isinstance(one, str))
        if names:
            number = route.get("entry")
            yield url_facts.LabelledRoute(
                path=str(route.get("path")),
                entry=number - 1 if isinstance(number, int) else None,
                place=str(route.get("origin")),
                names=names,
            )


def find_site(report: Json, host: str) -> model.Site | None:
    """A site with this name that serves, as far as its entry tells what it is."""
    for entry in _sites(report):
        if host in {entry.get("host"), *(entry.get("aliases") or ())} and entry.get("enabled"):
            return _make_site(entry)
    return None


def lay_over(site: model.Site, report: Json | None, settings: model.Globals) -> model.Site:
    """A site of the file that was read without containers, over those that the daemon has for it (`from: docker`)."""
    entry = next((one for one in _sites(report or {}) if one.get("host") == site.host), None)
    if not site.waits_for_container or entry is None or not isinstance(entry.get("over"), str):
        return site
    found = _make_site(entry)
    if found is None:
        return site
    actions = {route.name: route.action for route in found.routes}
    routes = tuple(
        dataclasses.replace(route, action=site_overlays.UNKNOWN) if is_closed and route.name in actions else route
        for route in site.routes
        for is_closed in [route.action == site_overlays.NO_ANSWER]
        if not is_closed or route.name in actions
    )
    beneath = dataclasses.replace(found, origin=model.Origin(source=model.CONTAINERS, place=entry["over"]))
    return site_overlays.lay_over(dataclasses.replace(site, routes=routes), beneath, settings).site


def _sites(report: Json) -> list[Json]:
    return [one for one in report.get("sites") or () if isinstance(one, dict)]


def _make_site(entry: Json) -> model.Site | None:
    try:
        return model.Site(
            host=entry["host"],
            aliases=tuple(entry["aliases"]),
            tls=model.Tls(mode=model.TlsMode(entry["tls"])),
            http=model.HttpMode(entry["http"]),
            routes=tuple(_make_routes(entry["routes"])),
            origin=model.Origin(source=entry["source"], place=entry["origin"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _make_routes(entries: collections.abc.Iterable[Json]) -> collections.abc.Iterator[model.Route]:
    for entry in entries:
        action = _make_action(entry)
        if action is not None:
            number = entry["entry"]
            yield model.Route(path=entry["path"], action=action, entry=None if number is None else number - 1)


def _make_action(entry: Json) -> model.Action | None:
    to = [str(one) for one in entry["to"]]
    match entry["kind"]:
        case "proxy" | "php":
            targets: list[model.Target] = []
            for text in to:
                try:
                    targets.append(value_parsers.parse_target(text))
                except ValueError:  # a folder of PHP
                    continue
            return model.Proxy(targets=tuple(targets))
        case "redirect" if to:
            return model.Redirect(to=to[0])
        case "files" if to:
            return model.Files(folder=to[0])
        case "respond" if to and to[0].isdigit():
            return model.Respond(status=int(to[0]))
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
