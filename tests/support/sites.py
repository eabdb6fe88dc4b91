"""Short ways to write sites in tests of rendering."""

import urllib.parse

from daemun.core import model, names


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


def proxy(*urls: str, **options: object) -> model.Proxy:
    """A route's action. options: other fields of Proxy."""
    return model.Proxy(targets=tuple(target(url) for url in urls), **options)  # type: ignore[arg-type]


def route(path: str, action: model.Proxy | model.Redirect | model.Files | str, **options: object) -> model.Route:
    """action: a text is the URL of the only target."""
    given = proxy(action) if isinstance(action, str) else action
    return model.Route(path=path, action=given, **options)  # type: ignore[arg-type]


def site(host: str, *routes: model.Route | str, **options: object) -> model.Site:
    """routes: a text is the URL of the only target of "/". IPv6 hosts may be written without brackets."""
    address = names.address_of(host)
    if address is not None and address.version == 6 and "%" not in host:
        host = f"[{address.compressed}]"
    made = tuple(route("/", one) if isinstance(one, str) else one for one in routes)
    ordered = tuple(sorted(made, key=lambda one: one.path))
    return model.Site(host=host, routes=ordered, **options)  # type: ignore[arg-type]
