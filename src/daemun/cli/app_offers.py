"""Suggests presets: finds sites and containers of known applications that do not use their preset. Pure."""

import collections.abc
import typing
import urllib.parse

Json = dict[str, typing.Any]
_MOST = 5


def lines_of(answer: Json, known: collections.abc.Collection[str]) -> list[str]:
    """answer: as in `status --json`. known: the names of applications."""
    found = [_of_container(one) for one in answer["containers"] if one.get("app") is not None]
    for site in answer["sites"]:
        named = _find_app(site, known)
        if named is not None:
            found.append(_of_site(site["host"], named))
    more = [f"and {len(found) - _MOST} more sites or containers of known applications"] if len(found) > _MOST else []
    return [*found[:_MOST], *more]


def _of_container(one: Json) -> str:
    name = f"{one['name']}@{one['engine']}" if one.get("engine") else one["name"]
    return (
        f"container {name} has an image of {one['app']}: `daemun apps show {one['app']}` shows what that "
        f"needs of a proxy, which the label daemun.app={one['app']} sets (daemun.app=none: it is not wanted)"
    )


def _of_site(host: str, app: str) -> str:
    return (
        f"{host} leads to a server called {app}: `daemun apps show {app} {host}` shows what that needs of a proxy, "
        f"which `app: {app}` in the site sets (`app: none`: it is not wanted)"
    )


def _find_app(site: Json, known: collections.abc.Collection[str]) -> str | None:
    """Of a site of the file, as far as the name of a server tells."""
    if site["source"] != "file" or site["app"] is not None or any(route["app"] is not None for route in site["routes"]):
        return None
    urls = (text for route in site["routes"] if route["kind"] == "proxy" for text in route["to"])
    return next((name for url in urls if (name := _host_of(url)) in known), None)


def _host_of(url: str) -> str | None:
    try:
        return urllib.parse.urlsplit(url).hostname
    except ValueError:
        return None
