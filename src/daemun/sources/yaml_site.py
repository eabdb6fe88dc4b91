"""A site in daemun.yaml: its routes, and options."""

import typing

import pydantic

from daemun.core.options import catalogue, from_option, option, php_form, site_listen_form
from daemun.core.texts import route_paths
from daemun.sources import yaml_entry

PHP = option.RouteAction.PHP.value


class SiteEntry(yaml_entry.YamlEntry, defer_build=True):
    """A target's text, a map of paths, or this map. Routes are checked one by one, as `yaml_route.ROUTE`."""

    shape = 'a target such as "http://127.0.0.1:8000", a map of paths, or a map with `routes`'
    routes: typing.Annotated[
        dict[str, typing.Any],
        option.Doc(
            kind="map of paths",
            default="needed",
            meaning="the site's routes; the short forms are the value of `routes` itself, or its `/` alone",
        ),
    ]
    nginx: typing.Annotated[
        str, option.Doc(kind="text", default="none", meaning="hand-written directives for the `server` block")
    ] = ""

    php: typing.Annotated[
        php_form.Form | None,
        option.Doc(
            kind="FastCGI server, or `{socket, root, server_root, front, no_code}`",
            default="none",
            meaning="the route `/` is a PHP application, see [PHP](#php-applications); needs no `routes`",
        ),
    ] = None

    listen: typing.Annotated[
        site_listen_form.Form | None,
        option.Doc(
            kind="`{http, https}`",
            default="the gate's",
            meaning="ports of the site's own, at the gate's addresses; it is reached there alone, "
            "see [nginx.md](nginx.md#ports-of-single-sites)",
        ),
    ] = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"routes": {"/": value}}
        if (
            isinstance(value, dict)
            and value
            and all(isinstance(key, str) and route_paths.is_written(key) for key in value)
        ):
            return {"routes": value}
        if isinstance(value, dict) and (value.get(PHP) is not None or value.get(from_option.OPTION.name) is not None):
            return {"routes": {}, **value}
        return value


SITE: type[SiteEntry] = catalogue.with_options("SiteEntry", SiteEntry, option.Level.SITE)
"""With the options."""
