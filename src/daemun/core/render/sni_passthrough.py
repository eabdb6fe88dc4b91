"""TLS passthrough: connections passed on by the name in the handshake (SNI), beside the sites of the same port.

Where a stream wants that, nginx's stream module listens at the gate's addresses for HTTPS instead of its http module.
It looks at the name in the ClientHello without taking it from the socket, and `pass` hands the connection itself to
another listener of the same process: that of the sites, or that of the stream. So nothing is copied, the visitor's
address stays what it is, and TLS of sites ends where it always did. These listeners are unix sockets that nobody has to
connect to: nginx looks them up in its own table, so they work also when their files were deleted. A worker that ends
has closed them: it resets connections whose ClientHello arrives later (`docs/DESIGN.md`, decision 5).

Of the names that fit, the longest wins, as among sites: one that a site has goes before a wildcard that is passed on.

Source: nginx.org/en/docs/stream/ngx_stream_pass_module.html, ngx_stream_ssl_preread_module.html
"""

import collections.abc
import hashlib

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import streams_option
from daemun.core.render import site_scope
from daemun.core.texts import rules

NEEDED = frozenset({render_environment.Feature.STREAM_PREREAD, render_environment.Feature.STREAM_HANDOVER})
_THERE = "$daemun_passed"


def is_on(settings: model.Globals, env: render_environment.Environment) -> bool:
    """Whether the sites have the port of HTTPS together with streams."""
    return env.nginx.features >= NEEDED and bool(streams_option.find_passed(settings))


def sites_socket(paths: layout.Layout) -> str:
    """Where all sites listen then, as nginx writes it."""
    return f"unix:{paths.passed_prefix}sites.sock"


def stream_socket(paths: layout.Layout, name: str) -> str:
    """Where a stream does. Short, for a path of a unix socket may have 107 bytes."""
    return f"unix:{paths.passed_prefix}{hashlib.sha256(name.encode()).hexdigest()[:10]}.sock"


def find_own_names(desired: model.Desired) -> frozenset[str]:
    """The names of sites that a wildcard which is passed on would cover."""
    passed = streams_option.find_passed(desired.globals)
    wildcards = frozenset(host.removeprefix("*.") for host in passed if host.startswith("*."))
    if not wildcards:
        return frozenset()
    # Sites with another port for HTTPS, or none, have no handshakes here.
    here = (site for site in desired.enabled if site.https_port is None and site_scope.has_tls(site))
    names = (name for site in here for name in site.names if not wildcards.isdisjoint(_parents(name)))
    return frozenset(name for name in names if name not in passed and rules.check_host(name) is None)


def _parents(name: str) -> collections.abc.Iterator[str]:
    """The domains that a name is below: of "a.b.test" these are "b.test" and "test"."""
    while name := name.partition(".")[2]:
        yield name


def nodes(
    desired: model.Desired, env: render_environment.Environment, listen: tuple[directive.Directive, ...]
) -> tuple[directive.Node, ...]:
    """The file that has the gate's addresses for HTTPS. listen: these."""
    places = {
        host: stream_socket(env.layout, one.name) for host, one in streams_option.find_passed(desired.globals).items()
    }
    places |= dict.fromkeys(find_own_names(desired), sites_socket(env.layout))
    entries = (
        arguments.line("hostnames"),
        arguments.line("default", sites_socket(env.layout)),
        *(arguments.line(arguments.map_host(host), place) for host, place in sorted(places.items())),
    )
    server = (*listen, arguments.line("ssl_preread", "on"), arguments.line("pass", Expr(_THERE)))
    return (
        directive.Comment("Handshakes for these names go to streams, all others to the sites."),
        arguments.line("map", Expr("$ssl_preread_server_name"), Expr(_THERE), block=entries),
        arguments.line("server", block=server),
    )
