"""`access.forward_auth`: a server that judges requests, in the forms that such servers know.

Sources: authelia.com/integration/proxies, docs.goauthentik.io/docs/add-secure-apps/providers/proxy,
tinyauth.app/docs/guides, oauth2-proxy.github.io/oauth2-proxy/configuration/integration,
doc.traefik.io/traefik/middlewares/http/forwardauth, nginx.org/en/docs/http/ngx_http_auth_request_module.html.
"""

import dataclasses
import enum
import re
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import header_rules, quantity_rules, rules, words


class ForwardAuthKind(enum.Enum):
    AUTHELIA = "authelia"
    AUTHENTIK = "authentik"
    TINYAUTH = "tinyauth"
    OAUTH2_PROXY = "oauth2-proxy"
    TRAEFIK = "traefik"
    NGINX = "nginx"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuthProtocol:
    """How servers of one kind are queried.

    server: where one is unless it is written; None: it has to be written. path: what is requested.
    is_original: it reads the URL from X-Original-URL, as is usual with nginx, and not from X-Forwarded-*.
    shows_answer: what it answers to who may not come in is for the visitor, whatever its status: pages, redirects,
        cookies. Else 401 with `Location` leads there, and 403 is the gate's own page.
    sign_in: the path whose answer visitors get who have to sign in; None: that of the check.
    copied: headers of its answer that servers behind the gate are sent. open_paths: its own on every site.
    keeps_host: it reads the site from `Host`.
    """

    server: str | None = None
    path: str = "/"
    is_original: bool = False
    shows_answer: bool = True
    sign_in: str | None = None
    copied: tuple[str, ...] = ()
    open_paths: tuple[str, ...] = ()
    keeps_host: bool = False


_REMOTE = ("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email")
_AUTHENTIK = (
    "username", "groups", "entitlements", "email", "name", "uid", "jwt", "meta-jwks", "meta-outpost", "meta-provider",
    "meta-app", "meta-version",
)  # fmt: skip
_OAUTH2 = ("User", "Email", "Groups", "Preferred-Username")

PROTOCOLS = {
    ForwardAuthKind.AUTHELIA: ForwardAuthProtocol(
        server="http://authelia:9091", path="/api/authz/forward-auth", copied=_REMOTE
    ),
    ForwardAuthKind.AUTHENTIK: ForwardAuthProtocol(
        server="http://authentik-server:9000",
        path="/outpost.goauthentik.io/auth/traefik",
        copied=tuple(f"X-authentik-{name}" for name in _AUTHENTIK),
        open_paths=("/outpost.goauthentik.io/",),
        keeps_host=True,
    ),
    ForwardAuthKind.TINYAUTH: ForwardAuthProtocol(
        server="http://tinyauth:3000", path="/api/auth/traefik", copied=(*_REMOTE, "Remote-Sub")
    ),
    ForwardAuthKind.OAUTH2_PROXY: ForwardAuthProtocol(
        server="http://oauth2-proxy:4180",
        path="/oauth2/auth",
        shows_answer=False,
        sign_in="/oauth2/start",
        copied=tuple(f"X-Auth-Request-{name}" for name in _OAUTH2),
        open_paths=("/oauth2/",),
        keeps_host=True,
    ),
    ForwardAuthKind.TRAEFIK: ForwardAuthProtocol(),
    ForwardAuthKind.NGINX: ForwardAuthProtocol(is_original=True, shows_answer=False),
}

USER_HEADERS = ("remote-user", "x-auth-request-user", "x-authentik-username", "x-forwarded-user", "x-user")
"""In which judges name users, in small letters."""

_LONGEST_MEMORY_S = 600.0
"""Who signs out or is removed comes in for so long."""

_QUERY = re.compile(r"[A-Za-z0-9._~!&'()*+,;=:@/?%-]*\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAuth(forms.OptionMap):
    """url: where it is queried; None, or without a path: as its kind has it. copy: None: as its kind has it.

    remember_s: so long its permission counts for the same request of the same visitor; None: it is queried each time.
    """

    shape: typing.ClassVar[str] = "the name of a program such as authelia, or a map"
    # A label is not to make the gate request whatever it reaches, nor to be given what a judge answers beside names.
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"url", "copy"})
    meanings: typing.ClassVar[dict[str, str]] = {
        "kind": "what the server is, or in whose form it is queried: traefik, nginx",
        "url": "where it is queried, http://authelia:9091; without a path the usual one of its kind",
        "remember": "so long its permission counts for the same request of the same visitor; it is queried each time",
        "copy": "headers of its answer that servers behind the gate are sent; those of its kind",
    }
    kind: typing.Annotated[ForwardAuthKind, forms.choice(ForwardAuthKind)] = ForwardAuthKind.TRAEFIK
    url: forms.Text | None = None
    copied: typing.Annotated[typing.Annotated[forms.Texts, forms.ONE_OR_MORE] | None, pydantic.Field(alias="copy")] = (
        None
    )
    remember_s: typing.Annotated[forms.Duration | None, pydantic.Field(alias="remember")] = None

    @property
    def protocol(self) -> ForwardAuthProtocol:
        return PROTOCOLS[self.kind]

    @property
    def headers(self) -> tuple[str, ...]:
        return self.protocol.copied if self.copied is None else self.copied

    @property
    def user_header(self) -> str | None:
        """In which it names a user; None: in none."""
        known = {name.lower(): name for name in reversed(self.headers)}
        return next((known[name] for name in USER_HEADERS if name in known), next(iter(self.headers), None))

    @property
    def proxy(self) -> model.Proxy:
        """The server, as a route would have it. Raises: ValueError."""
        target = _target(self.url or self.protocol.server or "")
        return model.Proxy(targets=(dataclasses.replace(target, path=None),))

    @property
    def path(self) -> str:
        """What is requested, with its query. Raises: ValueError."""
        url, _, query = (self.url or "").partition("?")
        path = _target(url).path if url else None
        return (self.protocol.path if path in {None, "/"} else str(path)) + (f"?{query}" if query else "")


def _target(url: str) -> model.Target:
    target = value_parsers.parse_target(url.partition("?")[0])
    if target.scheme not in {model.Scheme.HTTP, model.Scheme.HTTPS}:
        raise ValueError(f"{words.quoted(url)} is no http or https URL")
    return target


def parse(value: object) -> object:
    """ "authelia" is a kind; a URL alone could be of any."""
    if isinstance(value, str) and "://" in value:
        raise ValueError(
            f"expected the name of a program, or a map; write {{kind: traefik, url: {words.quoted(value)}}}"
        )
    return {"kind": value} if isinstance(value, str) else value


Form = typing.Annotated[
    ForwardAuth,
    pydantic.BeforeValidator(parse),
    forms.Also({"enum": [kind.value for kind in ForwardAuthKind if PROTOCOLS[kind].server is not None]}),
]


def check(value: ForwardAuth, place: Place) -> None:
    if value.remember_s is not None:
        place.add(quantity_rules.check_duration(value.remember_s, least=1, most=_LONGEST_MEMORY_S), "remember")
    if value.url is None and value.protocol.server is None:
        place.add(f"is missing: there is no usual place of a server of the kind {value.kind.value}", "url")
        return
    try:
        target = _target(value.url or value.protocol.server or "")
    except ValueError as error:
        place.add(str(error), "url")
        return
    if target.host is not None:
        place.add_value(target.host, rules.check_server(target.host), "url")
    path, _, query = value.path.partition("?")
    place.add_value(path, rules.check_text(path), "url")
    if not _QUERY.match(query) or not _QUERY.match(path):
        place.add("has signs behind the server that no URL has as they are (RFC 3986 section 2.2)", "url")
    for index, name in enumerate(value.headers):
        place.add_value(name, header_rules.check_header_name(name, request=True), "copy", index)
