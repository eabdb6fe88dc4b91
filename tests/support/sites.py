"""Short ways to write sites in tests of rendering."""

import dataclasses
import typing
import urllib.parse

from daemun.core import model
from daemun.core.options import catalogue, upstream_tls_options
from daemun.core.texts import names, route_paths


def target(url: str, **options: object) -> model.Target:
    """ "http://web:8080/x", "fastcgi://unix:/run/php.sock". options: other fields of the target."""
    scheme_text, _, rest = url.partition("://")
    scheme = model.Scheme(scheme_text)
    if rest.startswith("unix:"):
        socket, _, path = rest.removeprefix("unix:").partition(":")
        return model.Target(scheme=scheme, socket=socket, path=path or None, **options)  # type: ignore[arg-type]
    parts = urllib.parse.urlsplit(f"//{rest}")
    port = parts.port or model.DEFAULT_PORTS[scheme]
    return model.Target(scheme=scheme, host=parts.hostname, port=port, path=parts.path or None, **options)  # type: ignore[arg-type]


def proxy(*urls: str, **given: object) -> model.Proxy:
    """A route's action. given: options by their names, and other fields of Proxy."""
    return model.Proxy(targets=tuple(target(url) for url in urls), **with_options(given))


def with_options(given: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Fields of a part of the model; those that are named like options are its options."""
    named = {name: value for name, value in given.items() if name in catalogue.BY_NAME}
    rest = {name: value for name, value in given.items() if name not in named}
    made = catalogue.as_fields(named)
    return {**rest, **made, "options": (*rest.get("options", ()), *made["options"])} if named else rest


def upstream_tls(tls: model.UpstreamTls) -> model.OptionValues:
    """How certificates of servers are checked, as values of the two options."""
    verify = upstream_tls_options.Verify(is_on=tls.verify, ca_file=tls.ca_file, ca_digest=tls.ca_digest)
    return catalogue.values(upstream_tls_options.VERIFY.set(verify), upstream_tls_options.SERVER_NAME.set(tls.name))


def route(path: str, action: model.Action | str, **given: object) -> model.Route:
    """action: a text is the URL of the only target. given: options by their names, and other fields of Route."""
    made = proxy(action) if isinstance(action, str) else action
    named = {name: value for name, value in given.items() if name in catalogue.BY_NAME}
    common, own = catalogue.split(named, catalogue.find_action(made))
    rest = {name: value for name, value in given.items() if name not in catalogue.BY_NAME}
    options = (*rest.pop("options", ()), *common)  # type: ignore[misc]
    made = dataclasses.replace(made, options=(*made.options, *own))
    return model.Route(path=path, action=made, options=options, **rest)  # type: ignore[arg-type]


def site(host: str, *routes: model.Route | str, **given: object) -> model.Site:
    """routes: a text is the URL of the only target of "/". IPv6 hosts may be written without brackets. given: options
    by their names, and other fields of Site."""
    address = names.address_of(host)
    if address is not None and address.version == 6 and "%" not in host:
        host = f"[{address.compressed}]"
    made = tuple(route("/", one) if isinstance(one, str) else one for one in routes)
    ordered = tuple(sorted(made, key=lambda one: route_paths.order(one.path)))
    return model.Site(host=host, routes=ordered, **with_options(given))
